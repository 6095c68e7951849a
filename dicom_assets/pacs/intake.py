"""What happens to an instance that arrives: admitted or not, handed to the caller's store, answered with a status."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO

from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import UID
from pynetdicom import evt

from ..errors import DicomAssetsError

# PS3.4 table B.2-1.
STORED = 0x0000
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

_STUDY_INSTANCE_UID = Tag(0x0020, 0x000D)


@dataclass(frozen=True)
class ReceivedInstance:
    """data: the data set as it was encoded on the wire, without file meta. UIDs as the peer gave them, unpadded."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data: bytes


#: Keeps one instance; called by one thread at a time. Raises DicomAssetsError where it cannot.
Store = Callable[[ReceivedInstance], None]


class Intake:
    """Handles C-STORE requests for one study.

    wanted: SOPInstanceUIDs that are awaited, None where nobody knows. whole_study: any other instance of the study is
    admitted, too (it may have grown since it was listed). failure: what store raised first; after it nothing is
    admitted, and on_failure has been called once.
    """

    def __init__(
        self, study_instance_uid: str, wanted: Iterable[str] | None, store: Store, *, whole_study: bool
    ) -> None:
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.stored: set[str] = set()
        self._study_instance_uid = study_instance_uid
        self._wanted = None if wanted is None else frozenset(wanted)
        self._whole_study = whole_study or wanted is None
        self._store = store
        self._lock = threading.Lock()

    def handle(self, event: evt.Event) -> int:
        """The status to answer a C-STORE request with. pynetdicom would swallow what a handler raises: kept here."""
        with self._lock:
            if self.failure is None:
                try:
                    return self._take(event)
                except BaseException as error:
                    self.failure = error
                    self.on_failure()
            is_full = isinstance(self.failure, DicomAssetsError) and self.failure.code == "DISK_FULL"
            return OUT_OF_RESOURCES if is_full else CANNOT_UNDERSTAND

    def has_all(self) -> bool:
        """Every wanted instance has been stored; False where nobody knows which are wanted."""
        return self._wanted is not None and self._wanted <= self.stored

    def raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _take(self, event: evt.Event) -> int:
        request = event.request
        instance = ReceivedInstance(
            sop_class_uid=_plain(request.AffectedSOPClassUID),
            sop_instance_uid=_plain(request.AffectedSOPInstanceUID),
            transfer_syntax_uid=str(event.context.transfer_syntax),
            data=b"" if request.DataSet is None else request.DataSet.getvalue(),
        )
        if not instance.data or not self._is_admitted(instance):
            return CANNOT_UNDERSTAND
        self._store(instance)
        self.stored.add(instance.sop_instance_uid)
        return STORED

    def _is_admitted(self, instance: ReceivedInstance) -> bool:
        if self._wanted is not None and instance.sop_instance_uid in self._wanted:
            return True
        is_named = instance.sop_instance_uid != ""
        return is_named and self._whole_study and _study_of(instance) == self._study_instance_uid


def _plain(uid: str | None) -> str:
    return str(uid or "").strip(" \0")


def _study_of(instance: ReceivedInstance) -> str:
    """StudyInstanceUID in the data set, read up to there; empty where it cannot be read."""
    syntax = UID(instance.transfer_syntax_uid)
    try:
        header = read_dataset(
            BytesIO(instance.data),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: tag > _STUDY_INSTANCE_UID,
            specific_tags=[_STUDY_INSTANCE_UID],
        )
        element = header.get_item(_STUDY_INSTANCE_UID)
        return "" if element is None else (element.value or b"").decode("ascii").strip(" \0")
    except Exception:
        # Whatever a damaged header makes pydicom raise, the answer is the same: not an instance that was asked for.
        return ""
