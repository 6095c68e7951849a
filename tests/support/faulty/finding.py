"""Archives that answer C-FIND wrongly, or less than was asked."""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from dicom_assets.demo.index import UNIQUE_KEYS

from .mode import PENDING, SUCCESS, Answers, Mode, put

_IDENTIFIER_REFUSED, _OUT_OF_RESOURCES, _CANCELLED = 0xA900, 0xA700, 0xFE00
_COUNTS = (
    "NumberOfSeriesRelatedInstances",
    "NumberOfStudyRelatedInstances",
    "NumberOfStudyRelatedSeries",
)


class _Edits(Mode):
    """Changes each answer."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        for status, answer in answers:
            if answer is not None:
                self.edit(answer, level)
            yield status, answer

    def edit(self, answer: Dataset, level: str) -> None:
        """In place."""


class CountsSeriesOnly(Mode):
    """Has no IMAGE level in C-FIND (0xA900), and counts the instances of each series."""

    refused = ("IMAGE",)

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        return [(_IDENTIFIER_REFUSED, None)] if level in self.refused else answers


class CountsStudiesOnly(CountsSeriesOnly):
    """Has neither IMAGE nor SERIES level in C-FIND, and counts the instances of a study."""

    refused = ("IMAGE", "SERIES")


class CountsNothing(_Edits):
    """Has no IMAGE level in C-FIND and returns no counts at any other."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        return [(_IDENTIFIER_REFUSED, None)] if level == "IMAGE" else super().finds(event, level, answers)

    def edit(self, answer: Dataset, level: str) -> None:
        for keyword in set(_COUNTS) & set(answer.dir()):
            delattr(answer, keyword)


class CountsOneTooMany(_Edits):
    """Counts an instance more in each series and study than it lists and holds."""

    difference = 1

    def edit(self, answer: Dataset, level: str) -> None:
        for keyword in set(_COUNTS[:2]) & set(answer.dir()):
            setattr(answer, keyword, answer[keyword].value + self.difference)


class CountsOneTooFew(CountsOneTooMany):
    """Counts an instance less in each series and study than it lists and holds."""

    difference = -1


class CountsOneTooManyAndListsNone(CountsOneTooMany):
    """Has no IMAGE level in C-FIND, and counts an instance more in each series and study than it holds."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        return [(_IDENTIFIER_REFUSED, None)] if level == "IMAGE" else super().finds(event, level, answers)


class CapsStudies(Mode):
    """Answers at most two studies to a query; where there are more it ends with 0xFE00."""

    level, limit = "STUDY", 2

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        for number, answer in enumerate(answers):
            if level == self.level and number == self.limit:
                yield _CANCELLED, None
                return
            yield answer


class CapsStudiesSilently(CapsStudies):
    """Answers at most two studies to a query, and success."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        return islice(answers, self.limit) if level == self.level else answers


class CapsImageLists(CapsStudies):
    """Answers at most one instance to a query at IMAGE level; where there are more it ends with 0xFE00."""

    level, limit = "IMAGE", 1


class CapsImageListsSilently(CapsStudiesSilently):
    """Answers at most one instance to a query at IMAGE level, and success."""

    level, limit = "IMAGE", 1


class PadsUids(_Edits):
    """Ends the UIDs in its answers with spaces and NULs."""

    def edit(self, answer: Dataset, level: str) -> None:
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
            if keyword in answer:
                put(answer, keyword, f"{answer[keyword].value} \0")


class PadsAndLowersPatientIds(_Edits):
    """Finds a patient by ID, and returns that ID padded and in lower case."""

    def edit(self, answer: Dataset, level: str) -> None:
        if "PatientID" in answer:
            put(answer, "PatientID", f" {answer.PatientID.lower()} \0")


class IgnoresUidKeys(Mode):
    """Takes no notice of the UIDs in a query and answers with everything it holds at the level."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        identifier = event.identifier
        for keyword in UNIQUE_KEYS.values():
            if keyword in identifier:
                identifier[keyword].value = ""
        return ((PENDING, answer) for answer in self.archive.answers(identifier, level))


class ReturnsUniqueKeysOnly(_Edits):
    """Returns nothing beyond the unique key of the level: no upper level's UID, no class, no count, no patient."""

    def edit(self, answer: Dataset, level: str) -> None:
        for keyword in set(answer.dir()) - {UNIQUE_KEYS[level], "QueryRetrieveLevel"}:
            delattr(answer, keyword)


class DeclaresNoCharacterSet(_Edits):
    """Returns Latin-1 names without a SpecificCharacterSet."""

    def edit(self, answer: Dataset, level: str) -> None:
        if "SpecificCharacterSet" in answer:
            del answer.SpecificCharacterSet
        for keyword in {"PatientName", "StudyDescription"} & set(answer.dir()):
            put(answer, keyword, b"M\xfcller^J\xf6rg")


class AnswersTwice(Mode):
    """Returns each answer twice."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        return (answer for answer in answers for _ in range(2))


class AnswersTheLastRequestAgain(Mode):
    """Says first, once more, that the request before this one has succeeded (associations mixed up on reuse)."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if isinstance(response, C_FIND) and response.MessageIDBeingRespondedTo > 1:
            stale = C_FIND()
            stale.MessageIDBeingRespondedTo = response.MessageIDBeingRespondedTo - 1
            stale.AffectedSOPClassUID, stale.Status = response.AffectedSOPClassUID, SUCCESS
            say(stale)
        say(response)


class NeverStopsAnswering(Mode):
    """Goes on answering a query at IMAGE level with the same instance (25,000 times), whatever C-CANCEL says."""

    level = ""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        self.level = level
        return answers

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if self.level != "IMAGE" or not isinstance(response, C_FIND) or response.Status != PENDING:
            say(response)
            return
        # Written to the socket by hundreds: pynetdicom would take half a minute.
        association.dul.send_pdu = (primitives := []).append
        say(response)
        del association.dul.send_pdu
        block = b"".join(_encoded(primitive) for primitive in primitives) * 500
        with suppress(OSError, AttributeError):
            for _ in range(50):
                association.dul.socket.socket.sendall(block)


def _encoded(primitive: P_DATA) -> bytes:
    pdu = P_DATA_TF()
    pdu.from_primitive(primitive)
    return pdu.encode()


class FailsInTheMiddleOfAList(Mode):
    """Answers the first instance of a query at IMAGE level, then 0xA700: out of resources."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        return [*islice(answers, 1), (_OUT_OF_RESOURCES, None)] if level == "IMAGE" else answers


class AbortsQueriesForImages(Mode):
    """Aborts the association instead of answering a query at IMAGE level."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        if level == "IMAGE":
            event.assoc.abort()
            return
        yield from answers


class SilentToQueries(Mode):
    """Takes C-FIND requests and answers nothing."""

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        self.hang()
        return answers


MODES = (
    CountsSeriesOnly,
    CountsStudiesOnly,
    CountsNothing,
    CountsOneTooMany,
    CountsOneTooFew,
    CountsOneTooManyAndListsNone,
    CapsImageListsSilently,
    CapsImageLists,
    CapsStudiesSilently,
    CapsStudies,
    PadsUids,
    PadsAndLowersPatientIds,
    IgnoresUidKeys,
    ReturnsUniqueKeysOnly,
    DeclaresNoCharacterSet,
    AnswersTwice,
    AnswersTheLastRequestAgain,
    NeverStopsAnswering,
    FailsInTheMiddleOfAList,
    AbortsQueriesForImages,
    SilentToQueries,
)
