"""Archives that send less, more or something else than was asked for."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association

from dicom_assets.demo.archive import Step, StoredInstance, stored
from dicom_assets.demo.associations import MENDED
from dicom_assets.demo.index import Entry

from .log import Request
from .mode import PENDING, SUCCESS, Mode, pretended


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
        return go() if self.count % 3 else pretended(SUCCESS)


class NeverSendsOne(Mode):
    """Never sends one instance of a study, counts it as completed and reports success."""

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        return pretended(SUCCESS) if self.is_third(instance.SOPInstanceUID) else go()


class SendsAnotherStudyToo(Mode):
    """Sends instances of other studies as well."""

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        studies = {entry.uid_of("STUDY") for entry in entries}
        classes = {entry.header.SOPClassUID for entry in entries}
        others = [entry for entry in self.archive.everything() if entry.uid_of("STUDY") not in studies]
        return entries + [entry for entry in others if entry.header.SOPClassUID in classes]


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
        uid, content = entry.uid_of("IMAGE").encode(), entry.path.read_bytes()
        place = content.index(b"\x08\x00\x18\x00UI") + 8
        assert content[place : place + len(uid)] == uid
        other = uid[:-1] + (b"1" if uid[-1:] != b"1" else b"2")
        return self.archive.doctored(entry, "changed", content[:place] + other + content[place + len(uid) :])


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
    """Counts what it has queued as completed, ends a C-MOVE with success, and sends all of it a little later."""

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        yield from steps
        entries, request = self.archive.chosen(event) or [], self.archive.log[-1]
        destination = self.archive.known_peers[event.move_destination]
        threading.Thread(target=self._send, args=(destination, entries, request), daemon=True).start()

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        return pretended(SUCCESS)

    def _send(self, destination: tuple[str, int], entries: list[Entry], request: Request) -> None:
        if self.hang(0.2):
            return
        pairs = {(str(entry.header.SOPClassUID), entry.transfer_syntax_uid) for entry in entries}
        contexts = [build_context(sop_class, [syntax]) for sop_class, syntax in pairs]
        association = AE("LATE").associate(*destination, contexts, evt_handlers=[MENDED])
        with contextlib.suppress(RuntimeError):  # pynetdicom's, where the receiver has hung up meanwhile
            for entry in entries:
                association.send_c_store(entry.path)
                request.sent.append(entry.uid_of("IMAGE"))
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
