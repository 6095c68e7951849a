"""WADO-RS (PS3.18 10.4): instances as the archive holds them, handed on while they come."""

from collections.abc import Sequence
from urllib.parse import quote

from ..errors import BadInput, DicomAssetsError
from .archive import Archive
from .dicomweb import Answer, DicomWeb, open_dicomweb
from .find import InstanceMatch
from .intake import Intake
from .multipart import BodyEnded, Multipart, Part
from .part10 import NotPart10, read_head
from .suboperations import Outcome

_MULTIPART = 'multipart/related; type="application/dicom"'
#: Each instance in the syntax in which it is stored; without this a server may transcode.
_AS_STORED = f"{_MULTIPART}; transfer-syntax=*"
_NOT_ACCEPTABLE = (400, 406)
#: Deflated data sets inflate without a limit.
_DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
#: What may be so for one series or instance alone.
_FOR_THIS_ONE = ("PACS_RETRIEVE_FAILED", "PACS_REQUEST_REFUSED", "PACS_PROCESSING_FAILURE")
#: Requests one after the other that may fail so, until the rest is left for another time.
_MOST_FAILURES = 10
_STORED = 0x0000


def wado_instances(
    archive: Archive, study_instance_uid: str, wanted: Sequence[InstanceMatch] | None, intake: Intake, level: str
) -> Outcome:
    """level `STUDY` (also where wanted is None) asks for the study, `SERIES` for each series of wanted, `IMAGE` for
    each of wanted, one request after the other on one connection.

    completed and failed count what came; remaining is 0 where every body came to its end, else None. Raises what
    DicomWeb.request raises, and the code of a refusal that is not for this study alone, where nothing was answered.
    """
    outcome, failures = Outcome(), 0
    with open_dicomweb(archive) as web:
        retrieval = _Retrieval(web, intake)
        for number, path in enumerate(_paths(study_instance_uid, wanted, level)):
            try:
                one = retrieval.take(path)
                failures = 0
            except DicomAssetsError as error:
                if number == 0 and error.code not in _FOR_THIS_ONE:
                    raise
                one = Outcome(failed=1 if level == "IMAGE" else None, reason=error.code)
                failures += 1
            outcome = outcome.then(one)
            is_for_this_one = one.reason in ("", "PACS_SUBOPERATIONS_FAILED", *_FOR_THIS_ONE)
            if intake.failure is not None or not is_for_this_one or failures == _MOST_FAILURES:
                break
    return outcome


def _paths(study_instance_uid: str, wanted: Sequence[InstanceMatch] | None, level: str) -> list[str]:
    study = f"studies/{quote(study_instance_uid, safe='')}"
    if wanted is None or level == "STUDY" or not all(match.series_instance_uid for match in wanted):
        return [study]
    if level == "SERIES":
        series = dict.fromkeys(match.series_instance_uid for match in wanted)
        return [f"{study}/series/{quote(uid, safe='')}" for uid in series]
    return [
        f"{study}/series/{quote(match.series_instance_uid, safe='')}/instances/{quote(match.sop_instance_uid, safe='')}"
        for match in wanted
    ]


class _Retrieval:
    """Requests for instances, all into one intake."""

    def __init__(self, web: DicomWeb, intake: Intake) -> None:
        self._web = web
        self._intake = intake

    def take(self, path: str) -> Outcome:
        """Every instance that one request brings; asked again where the server does not know such a request. Raises
        where none was answered."""
        with self._web.request("wado", path, _AS_STORED) as answer:
            if answer.status not in _NOT_ACCEPTABLE:
                return self._take_answer(answer)
        with self._web.request("wado", path, _MULTIPART) as answer:
            return self._take_answer(answer)

    def _take_answer(self, answer: Answer) -> Outcome:
        if answer.status == 204:
            raise BadInput("PACS_RETRIEVE_FAILED")
        if answer.meaning.meaning not in ("success", "partial"):
            raise answer.meaning.as_error()
        if answer.content_type != "multipart/related":
            raise BadInput("PACS_NOT_DICOMWEB")
        completed = failed = 0
        try:
            for part in Multipart(answer.boundary, answer.read_into).parts():
                if self._take_part(part):
                    completed += 1
                else:
                    failed += 1
                if self._intake.failure is not None:
                    return Outcome(completed, failed, 0)
                self._web.patience.moved()
                self._web.patience.progressed()
        except BodyEnded:
            return Outcome(completed, failed, 0, reason=answer.why_ended().code)
        reason = answer.meaning.reason or ("PACS_SUBOPERATIONS_FAILED" if failed else "")
        return Outcome(completed, failed, 0, 0, reason)

    def _take_part(self, part: Part) -> bool:
        """Whether it is an instance that was stored."""
        head, size, reception = b"", 0, None
        try:
            for piece in part.pieces:
                size += len(piece)
                if reception is None:
                    head = b"".join((head, piece)) if head else piece
                    start = read_head(head)
                    if start is None:
                        head = bytes(head)
                        continue
                    if start.transfer_syntax_uid in _DEFLATED:
                        return False
                    reception = self._intake.begin(
                        start.sop_class_uid, start.sop_instance_uid, start.transfer_syntax_uid
                    )
                    piece = memoryview(head)[start.data_at :]
                reception.write(piece)
            if reception is None or part.length not in (None, size):
                return False
            finished, reception = reception, None
            return finished.finish() == _STORED
        except NotPart10:
            return False
        finally:
            if reception is not None:
                reception.abandon()
