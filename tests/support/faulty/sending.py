"""Archives that send something else than was asked for, or say something else of it."""

import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association

from dicom_assets.demo.archive import Step, StoredInstance, stored
from dicom_assets.demo.index import Entry

from .mode import PENDING, SUCCESS, Mode, is_final, is_retrieve

_CANNOT_STORE, _WARNING = 0xC000, 0xB000


def _response(status: int) -> Dataset:
    """As if an instance had been sent and answered."""
    response = Dataset()
    response.Status = status
    return response


class SendsNothing(Mode):
    """Reports success with no sub-operations at all."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield 0


class SendsNothingAtFirst(SendsNothing):
    """Is busy: reports success with no sub-operations to the first request, and works from then on."""

    asked = 0

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        self.asked += 1
        return super().suboperations(event, steps) if self.asked == 1 else steps


class DropsEveryThird(Mode):
    """Leaves out every third instance, counts it as completed and reports success."""

    count = 0

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        self.count += 1
        return go() if self.count % 3 else _response(SUCCESS)


class NeverSendsOne(Mode):
    """Never sends one instance of a study, counts it as completed and reports success."""

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        return _response(SUCCESS) if self.is_third(instance.SOPInstanceUID) else go()


class GivesNoCounts(NeverSendsOne):
    """Never sends one instance of a study, reports success, and gives no counts of sub-operations."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if is_retrieve(response):
            response.NumberOfRemainingSuboperations = response.NumberOfCompletedSuboperations = None
            response.NumberOfFailedSuboperations = response.NumberOfWarningSuboperations = None
        say(response)


class CountsWrongly(Mode):
    """Sends all, and counts nine completed, one failed and one remaining in a final response of success."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if is_retrieve(response) and is_final(response):
            response.NumberOfCompletedSuboperations, response.NumberOfFailedSuboperations = 9, 1
        say(response)


class SendsNoPendingResponses(Mode):
    """Sends all, and no response but the final one."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if not is_retrieve(response) or is_final(response):
            say(response)


class WarnsThoughAllCame(Mode):
    """Sends all, and ends with 0xB000 and a count of warnings."""

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        if is_retrieve(response) and response.Status == SUCCESS:
            response.Status = _WARNING
            response.NumberOfWarningSuboperations = response.NumberOfCompletedSuboperations
            response.NumberOfCompletedSuboperations = 0
        say(response)


class FailsToSendOne(Mode):
    """Cannot send one instance of a study, says so in its counts and ends with 0xB000."""

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        return _response(_CANNOT_STORE) if self.is_third(instance.SOPInstanceUID) else go()


class _Refuses(Mode):
    status = 0

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield 1
        yield self.status, None


class CannotCountMatches(_Refuses):
    """Answers every retrieval with 0xA701: out of resources, unable to calculate the number of matches."""

    status = 0xA701


class RefusesSuboperations(_Refuses):
    """Answers every retrieval with 0xA702: out of resources, unable to perform sub-operations."""

    status = 0xA702


class DoesNotKnowTheDestination(_Refuses):
    """Answers every C-MOVE with 0xA801: move destination unknown."""

    status = 0xA801


class GivesUpAtOne(Mode):
    """Ends with 0xC000 at the first instance that it cannot send, though others would follow."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield next(steps)
        for status, instance in steps:
            if self.is_third(instance.SOPInstanceUID):
                yield 0xC000, None
                return
            yield status, instance


class EndsWithAnUnknownStatus(Mode):
    """Sends one instance, then ends with the status 0x1234, which the standard does not know."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield next(steps)
        yield next(steps)
        yield 0x1234, None


class SendsAnotherStudyToo(Mode):
    """Sends the instances of other studies as well."""

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        studies = {entry.uid_of("STUDY") for entry in entries}
        return entries + [entry for entry in self.archive.everything() if entry.uid_of("STUDY") not in studies][:3]


class SendsTwice(Mode):
    """Sends each instance twice."""

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        go()
        return go()


class SendsOtherContentToo(Mode):
    """Sends one instance of a study twice, the second time with other content under the same SOPInstanceUID."""

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        response = go()
        if self.is_third(instance.SOPInstanceUID):
            content = bytearray(instance.path.read_bytes())
            content[-20] ^= 0xFF
            path = self.archive.desk / "other.dcm"
            path.write_bytes(content)
            response = go(path)
        return response


class TruncatesOne(Mode):
    """Sends one instance of a study with its last 500 bytes missing."""

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        return [
            self.archive.doctored(entry, "truncated", entry.path.read_bytes()[:-500])
            if self.is_third(entry.uid_of("IMAGE"))
            else entry
            for entry in entries
        ]


class ChangesOneUid(Mode):
    """Sends one instance of a study under its SOPInstanceUID, with another one in the data set."""

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        return [self._changed(entry) if self.is_third(entry.uid_of("IMAGE")) else entry for entry in entries]

    def _changed(self, entry: Entry) -> Entry:
        uid, content = entry.uid_of("IMAGE"), entry.path.read_bytes()
        place = content.rindex(uid.encode())  # the file meta has it first
        other = uid[:-1] + ("1" if uid[-1] != "1" else "2")
        return self.archive.doctored(entry, "changed", content[:place] + other.encode() + content[place + len(uid) :])


class Transcodes(Mode):
    """Sends what it holds in Explicit VR Little Endian as Implicit VR."""

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        return [
            self._implicit(entry) if entry.transfer_syntax_uid == ExplicitVRLittleEndian else entry for entry in entries
        ]

    def _implicit(self, entry: Entry) -> Entry:
        dataset, buffer = dcmread(entry.path), BytesIO()
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.save_as(buffer, implicit_vr=True, little_endian=True)
        syntax = str(ImplicitVRLittleEndian)
        return self.archive.doctored(entry, "implicit", buffer.getvalue(), transfer_syntax_uid=syntax)


class SendsLate(Mode):
    """Reports success to a C-MOVE with no sub-operations, and sends all of it half a second later."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        entries = self.archive.chosen(event) or []
        threading.Thread(target=self._send, args=(event.move_destination, entries), daemon=True).start()
        yield 0

    def _send(self, destination: str, entries: list[Entry]) -> None:
        time.sleep(0.5)
        pairs = {(str(entry.header.SOPClassUID), entry.transfer_syntax_uid) for entry in entries}
        contexts = [build_context(sop_class, [syntax]) for sop_class, syntax in pairs]
        association = AE("LATE").associate(*self.archive.known_peers[destination], contexts, ae_title=destination)
        if association.is_established:
            for entry in entries:
                association.send_c_store(entry.path)
                self.archive.log[-1].sent.append(entry.uid_of("IMAGE"))
            association.release()


class SendsWholeStudiesOnly(Mode):
    """Refuses retrievals at SERIES and IMAGE level (0xA900), and leaves an instance out of the first whole study."""

    asked = 0

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        if event.identifier.QueryRetrieveLevel != "STUDY":
            yield 1
            yield 0xA900, None
            return
        self.asked += 1
        entries = self.archive.chosen(event) or []
        entries = entries[1:] if self.asked == 1 else entries
        yield len(entries)
        for entry in entries:
            yield PENDING, stored(entry)


class SendsTheFirstOnly(Mode):
    """Takes the first UID of a list and no other; of a whole study it sends two instances."""

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        return entries[:1] if level == "IMAGE" else entries[:2]


class SendsTwoARequest(Mode):
    """Sends at most two instances for a request, and reports success."""

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        return entries[:2]


class GetsOneMore(Mode):
    """Receives an instance of each study while it sends the others."""

    complete = False

    def holds(self, entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if self.complete or not self.is_third(entry.uid_of("IMAGE"))]

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield next(steps)
        self.complete = True
        yield from steps


class LosesOne(Mode):
    """Deletes an instance of the study when it is asked for it, for good."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        entries = self.archive.chosen(event) or []
        self.archive.lost |= {uid for uid in (entry.uid_of("IMAGE") for entry in entries) if self.is_third(uid)}
        entries = [entry for entry in entries if entry.uid_of("IMAGE") not in self.archive.lost]
        yield len(entries)
        for entry in entries:
            yield PENDING, stored(entry)


MODES = (
    SendsNothing,
    SendsNothingAtFirst,
    DropsEveryThird,
    NeverSendsOne,
    GivesNoCounts,
    CountsWrongly,
    SendsNoPendingResponses,
    WarnsThoughAllCame,
    FailsToSendOne,
    CannotCountMatches,
    RefusesSuboperations,
    DoesNotKnowTheDestination,
    GivesUpAtOne,
    EndsWithAnUnknownStatus,
    SendsAnotherStudyToo,
    SendsTwice,
    SendsOtherContentToo,
    TruncatesOne,
    ChangesOneUid,
    Transcodes,
    SendsLate,
    SendsWholeStudiesOnly,
    SendsTheFirstOnly,
    SendsTwoARequest,
    GetsOneMore,
    LosesOne,
)
