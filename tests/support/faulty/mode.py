"""A mode: what an archive does at each step of a conversation. The base does it right, the others change a step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association

from dicom_assets.demo.archive import Step, StoredInstance
from dicom_assets.demo.index import Entry

if TYPE_CHECKING:
    from .archive import FaultyArchive

SUCCESS, PENDING = 0x0000, 0xFF00

#: Seconds after which a mode that hangs gives up: longer than the default time limits, and no test hangs for ever.
_GUARD = 150

#: A C-FIND handler's answers, as pynetdicom wants them: status and data set
Answers = Iterable[tuple[int, Dataset | None]]


class Mode:
    """One conversation partner. over: set once the archive has taken another mode, or has ended."""

    def __init__(self, archive: FaultyArchive) -> None:
        self.archive = archive
        self.over = threading.Event()

    @classmethod
    def sentence(cls) -> str:
        """What it does."""
        return " ".join((cls.__doc__ or "").split())

    def hang(self, seconds: float = _GUARD) -> bool:
        """Do nothing; True where that is over."""
        return self.over.wait(seconds)

    def admits(self, association: Association) -> None:
        """An association was requested, and nothing has been answered yet."""

    def holds(self, entries: list[Entry]) -> list[Entry]:
        """What there is, for C-FIND, C-GET and C-MOVE."""
        return entries

    def finds(self, event: evt.Event, level: str, answers: Answers) -> Answers:
        """What a C-FIND at this level is answered with; answers: the right ones."""
        return answers

    def chooses(self, level: str, entries: list[Entry]) -> list[Entry]:
        """What a retrieval at this level is about to send; entries: the right ones. Called more than once a request."""
        return entries

    def suboperations(self, event: evt.Event, steps: Iterator[Step]) -> Iterator[Step]:
        """steps: the number of sub-operations, then a pair of status and instance each."""
        return steps

    def sends(self, association: Association, go: Callable[..., Dataset], instance: StoredInstance) -> Dataset:
        """One sub-operation. go() sends the instance and returns the response; go(path) sends another file."""
        return go()

    def responds(self, association: Association, say: Callable[[object], None], response: object) -> None:
        """say(response) sends one response, a DIMSE primitive of pynetdicom."""
        say(response)

    def is_third(self, uid: str) -> bool:
        """The one instance of each study that something is wrong with."""
        return self.archive.place_in_study(uid) == 2


class Healthy(Mode):
    """Does what the standard says."""


def pretended(status: int) -> Dataset:
    """What Mode.sends returns as if the instance had been sent and answered so."""
    response = Dataset()
    response.Status = status
    return response


def is_retrieve(response: object) -> bool:
    return type(response).__name__ in ("C_GET", "C_MOVE")


def is_final(response: object) -> bool:
    return response.Status not in (PENDING, 0xFF01)


def put(dataset: Dataset, keyword: str, value: object) -> None:
    """Set a value as it is, conformant or not."""
    tag = tag_for_keyword(keyword)
    dataset[tag] = DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE)
