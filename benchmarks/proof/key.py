"""The answer key: one row for each thing that a de-identifier should do to one place of one instance.

instances.csv   what there is       answers.csv   what should become of it       planted.csv   what must be nowhere

A path names an element from the top: `(0008,1030)`, `(0040,0275)[0](0008,0050)`, `(0019,"SIEMENS MR HEADER",0C)`; among
content items `[#121071]` is the one with this concept, wherever it comes to stand.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from enum import StrEnum
from pathlib import Path


class Action(StrEnum):
    """What MIDI-B asks for; and, as it does not, whether dates moved together."""

    TAG_RETAINED = "tag_retained"  # the element is there
    TEXT_NOTNULL = "text_notnull"  # and has a value
    TEXT_RETAINED = "text_retained"  # and these words are in it
    TEXT_REMOVED = "text_removed"  # none of these words is in it
    DATE_SHIFTED = "date_shifted"  # if there is one, the date is another one
    DATE_CONSISTENT = "date_consistent"  # by as many days as all of this patient's, its time of the day as it was
    UID_CHANGED = "uid_changed"  # if there is one, the UID is another one, and nobody's old one
    UID_CONSISTENT = "uid_consistent"  # and the same new one wherever the old one stood, and for no other
    PATID_CONSISTENT = "patid_consistent"  # the Patient ID is this patient's new one
    PIXELS_RETAINED = "pixels_retained"  # the decoded pixels are as they were, and mean the same
    PIXELS_HIDDEN = "pixels_hidden"  # the text in this box can no longer be read


#: Actions that an instance which is not there would pass, were it not counted: MIDI-B's scorer passes them.
PASSED_BY_NOTHING = frozenset(
    (Action.TEXT_REMOVED, Action.DATE_SHIFTED, Action.DATE_CONSISTENT, Action.UID_CHANGED, Action.PIXELS_HIDDEN)
)

ABOUT_PIXELS = frozenset((Action.PIXELS_RETAINED, Action.PIXELS_HIDDEN))

_PART = re.compile(
    r'\((?P<group>[0-9A-F]{4}),(?:"(?P<creator>[^"]*)",)?(?P<element>[0-9A-F]{2,4})\)(?:\[(?P<item>#?[^\]]+)\])?'
)


@dataclass(frozen=True)
class Instance:
    """file: path below the corpus, with `/`. fingerprint: of its pixels or measurements, unlike any other's."""

    uid: str
    file: str
    modality: str
    patient: str
    study: str
    series: str
    transfer_syntax: str
    fingerprint: str


@dataclass(frozen=True)
class Answer:
    """instance: SOP Instance UID of the original. value: all that stood there. text: what the action is about.
    category: HIPAA-<letter of 45 CFR 164.514(b)(2)(i)>, DICOM-<clause>, or TCIA-<practice>."""

    instance: str
    action: Action
    path: str
    value: str
    text: str
    category: str

    @property
    def family(self) -> str:
        """HIPAA, DICOM or TCIA: who asks for it."""
        return self.category.partition("-")[0]


@dataclass(frozen=True, order=True)
class Planted:
    """A string that identifies this patient (PatientID of the original) and may be in no byte of their output."""

    patient: str
    text: str


@dataclass
class AnswerKey:
    instances: list[Instance] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    planted: set[Planted] = field(default_factory=set)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, kind, rows in self._tables():
            with (folder / name).open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(one.name for one in fields(kind))
                writer.writerows(map(astuple, rows))

    def _tables(self) -> Iterator[tuple[str, type, list]]:
        yield "instances.csv", Instance, self.instances
        yield "answers.csv", Answer, self.answers
        yield "planted.csv", Planted, sorted(self.planted)


def read_key(folder: Path) -> AnswerKey:
    """As write left it."""
    answers = [Answer(**{**row, "action": Action(row["action"])}) for row in _rows(folder / "answers.csv")]
    instances = [Instance(**row) for row in _rows(folder / "instances.csv")]
    return AnswerKey(instances, answers, {Planted(**row) for row in _rows(folder / "planted.csv")})


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def parts_of(path: str) -> list[re.Match[str]]:
    """The elements on the way; groups: group, creator (None: not private), element, item (None: the element itself)."""
    parts = list(_PART.finditer(path))
    if "".join(part[0] for part in parts) != path or not parts:
        raise ValueError("not a path")
    return parts
