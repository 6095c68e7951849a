"""A data set that notes, as it is filled, what a de-identifier should make of each value.

The answers are those of PS3.15 Table E.1-1 (2026d) under the options of the profile `research`, of HIPAA Safe Harbor,
and of what The Cancer Imaging Archive keeps; each method below stands for one of them and is chosen where a value is
planted.
"""

import datetime
from dataclasses import replace

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items

from benchmarks.proof.key import Action, Answer, Planted
from benchmarks.proof.phrases import Phrase

#: Category of the times of the day
TIME = "TCIA-P15-TIME-C"


class Notes:
    """The rows of one instance, and what was planted in it."""

    def __init__(self, instance: str, patient: str):
        self.instance, self.patient = instance, patient
        self.answers: list[Answer] = []
        self.planted: set[Planted] = set()

    def add(self, action: Action, path: str, value: str, text: str, category: str) -> None:
        self.answers.append(Answer(self.instance, action, path, value, text, category))

    def plant(self, text: str) -> None:
        self.planted.add(Planted(self.patient, text))


class Sheet:
    """A data set at a path, to be filled."""

    def __init__(self, notes: Notes, data_set: Dataset, path: str = ""):
        self.notes, self.data_set, self.path = notes, data_set, path

    # what stays

    def keep(self, keyword: str, value: object, category: str = "TCIA-P15-K") -> None:
        """As it is."""
        self._put(keyword, value)
        self._note(Action.TEXT_RETAINED, keyword, value, as_text(value), category)

    def need(self, keyword: str, value: object) -> None:
        """As it is, and of Type 1."""
        self.keep(keyword, value)
        self._note(Action.TEXT_NOTNULL, keyword, value, "", "DICOM-IOD-1")

    def there(self, keyword: str, value: object = "") -> None:
        """Of Type 2, whatever becomes of its value."""
        self._put(keyword, value)
        self._note(Action.TAG_RETAINED, keyword, value, "", "DICOM-IOD-2")

    # what goes

    def gone(self, keyword: str, value: object, category: str, *also: str) -> None:
        """X, or replaced: the value is not there, nor anywhere else; nor is what `also` says."""
        self._put(keyword, value)
        self._note(Action.TEXT_REMOVED, keyword, value, as_text(value), category)
        for text in also or (as_text(value),):
            self.notes.plant(text)

    def emptied(self, keyword: str, value: object, category: str, *also: str) -> None:
        """Z, or a dummy: as gone, and the element is of Type 2."""
        self.gone(keyword, value, category, *also)
        self._note(Action.TAG_RETAINED, keyword, value, "", "DICOM-IOD-2")

    def name(self, keyword: str, value: str, category: str, *, is_type_2: bool = False) -> None:
        """A person's name, or several with `\\` between them: no part of it."""
        groups = [group for person in value.split("\\") for group in person.split("=")]
        parts = [part for group in groups for part in group.split("^") if len(part) > 3 or not part.isascii()]
        (self.emptied if is_type_2 else self.gone)(keyword, value, category, *parts)

    # what changes

    def day(self, keyword: str, value: str) -> None:
        """value: DA or DT. Another date, by as many days as all others of this patient (PS3.15 E.3.6)."""
        self._put(keyword, value)
        self._note(Action.DATE_SHIFTED, keyword, value, value[:8], "HIPAA-C")
        self._note(Action.DATE_CONSISTENT, keyword, value, value, "DICOM-P15-LONG-MOD-C")
        self._note(Action.TEXT_NOTNULL, keyword, value, "", "DICOM-P15-LONG-MOD-C")
        self.notes.plant(value[:8])

    def time(self, keyword: str, value: str) -> None:
        """TM: still a time, whether it moved with the dates or not (PS3.15 E.3.6)."""
        self._put(keyword, value)
        self._note(Action.TEXT_NOTNULL, keyword, value, "", TIME)

    def uid(self, keyword: str, value: str, *, is_type_1: bool = False) -> None:
        """Another UID, and the same one wherever this one stands. A reference that is not of Type 1 stays by the
        practice of TCIA: where Table E.1-1 says X/Z/U*, it is what a series hangs together by."""
        self._put(keyword, value)
        self._note(Action.UID_CHANGED, keyword, value, value, "HIPAA-R")
        self._note(Action.UID_CONSISTENT, keyword, value, value, "DICOM-P15-BASIC-U")
        self._note(Action.TEXT_NOTNULL, keyword, value, "", "DICOM-IOD-1" if is_type_1 else "TCIA-P15-REF-K")
        self.notes.plant(value)

    def removed_uid(self, keyword: str, value: str) -> None:
        """In a sequence that goes."""
        self._put(keyword, value)
        self._note(Action.UID_CHANGED, keyword, value, value, "HIPAA-R")
        self.notes.plant(value)

    def patient_id(self, value: str) -> None:
        """This patient's pseudonym."""
        self.gone("PatientID", value, "HIPAA-H")
        self._note(Action.PATID_CONSISTENT, "PatientID", value, value, "DICOM-P15-BASIC-C")

    def words(self, keyword: str, phrase: Phrase) -> None:
        """Clean Descriptors (PS3.15 E.3.5): what is clinical stays, what identifies goes."""
        self._put(keyword, phrase.text)
        self._note_words(self._path(keyword), phrase)

    def there_at(self, tag: int, vr: str, value: object) -> None:
        """As there, by tag: in a repeating group, whose elements have no keyword."""
        self.data_set.add(DataElement(tag, vr, value))
        self.notes.add(Action.TAG_RETAINED, self._path_of(tag), as_text(value), "", "DICOM-P15-GRAPH-C")

    def words_go_at(self, tag: int, vr: str, phrase: Phrase) -> None:
        """As words, by tag; what is clinical may go too."""
        self.data_set.add(DataElement(tag, vr, phrase.text))
        self._note_words(self._path_of(tag), replace(phrase, clinical=""))

    def gone_at(self, tag: int, vr: str, value: str, category: str) -> None:
        """As gone, by tag, and in this VR, whatever the dictionary says. UN: in ASCII."""
        self.data_set.add(DataElement(tag, vr, value.encode("ascii") if vr in ("UN", "OB") else value))
        self.notes.add(Action.TEXT_REMOVED, self._path_of(tag), value, value, category)
        self.notes.plant(value)

    def _note_words(self, path: str, phrase: Phrase) -> None:
        if phrase.clinical:
            self.notes.add(Action.TEXT_RETAINED, path, phrase.text, phrase.clinical, "TCIA-P15-DESC-C")
        for text, category in phrase.planted:
            self.notes.add(Action.TEXT_REMOVED, path, phrase.text, text, category)
            self.notes.plant(text)

    # deeper

    def item(self, keyword: str) -> "Sheet":
        """One more item of a sequence."""
        if keyword not in self.data_set:
            setattr(self.data_set, keyword, Items([]))
        items = self.data_set[keyword].value
        items.append(Dataset())
        return Sheet(self.notes, items[-1], f"{self._path(keyword)}[{len(items) - 1}]")

    def code(self, keyword: str, value: str, scheme: str, meaning: str) -> None:
        """A code sequence that stays."""
        item = self.item(keyword)
        item.keep("CodeValue", value)
        item.keep("CodingSchemeDesignator", scheme)
        item.keep("CodeMeaning", meaning)

    def content(self, value_type: str, concept: tuple[str, str, str], relationship: str = "CONTAINS") -> "Sheet":
        """A content item (PS3.3 C.17.3); concept: value, scheme, meaning, found again by its value."""
        sheet = self.item("ContentSequence")
        sheet.path = f"{self._path('ContentSequence')}[#{concept[0]}]"
        sheet.data_set.RelationshipType, sheet.data_set.ValueType = relationship, value_type
        name = Dataset()
        name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = concept
        sheet.data_set.ConceptNameCodeSequence = [name]
        return sheet

    def safe_private(self, group: int, creator: str, element: int, vr: str, value: object) -> None:
        """One of Table E.3.10-1: Retain Safe Private."""
        self._put_private(group, creator, element, vr, value)
        self.notes.add(Action.TEXT_RETAINED, *self._private(group, creator, element, value), "TCIA-PTKB-K")

    def private_uid(self, group: int, creator: str, element: int, value: str) -> None:
        """A UID in one of Table E.3.10-1: safe as long as it is not the original's."""
        self._put_private(group, creator, element, "UI", value)
        place = self._private(group, creator, element, value)
        self.notes.add(Action.UID_CHANGED, *place, "HIPAA-R")
        self.notes.add(Action.UID_CONSISTENT, *place, "DICOM-P15-BASIC-U")
        self.notes.plant(value)

    def unsafe_private(self, group: int, creator: str, element: int, vr: str, value: str, category: str) -> None:
        """One that the table does not name, or names though something stands in it that identifies."""
        encoded = value.encode("ascii") if vr in ("OB", "UN") else value
        self._put_private(group, creator, element, vr, encoded)
        self.notes.add(Action.TEXT_REMOVED, *self._private(group, creator, element, value), category)
        self.notes.plant(value)

    def _private(self, group: int, creator: str, element: int, value: object) -> tuple[str, str, str]:
        path = f'{self.path}({group:04X},"{creator}",{element:02X})'
        return path, as_text(value), as_text(value)

    def _put_private(self, group: int, creator: str, element: int, vr: str, value: object) -> None:
        self.data_set.private_block(group, creator, create=True).add_new(element, vr, value)

    def _put(self, keyword: str, value: object) -> None:
        setattr(self.data_set, keyword, value)

    def _path(self, keyword: str) -> str:
        return self._path_of(tag_for_keyword(keyword))

    def _path_of(self, tag: int) -> str:
        return f"{self.path}({tag >> 16:04X},{tag & 0xFFFF:04X})"

    def _note(self, action: Action, keyword: str, value: object, text: str, category: str) -> None:
        self.notes.add(action, self._path(keyword), as_text(value), text, category)


def as_text(value: object) -> str:
    """Of one element; values with `\\` between them. Bytes as Latin-1, without their padding."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1").rstrip("\0 ")
    if isinstance(value, (list, tuple, MultiValue)):
        return "\\".join(map(as_text, value))
    return str(value)


def da(day: datetime.date) -> str:
    """As DA."""
    return day.strftime("%Y%m%d")
