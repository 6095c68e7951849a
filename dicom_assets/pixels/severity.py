"""How many of the texts in an image hold one of the patient's own values: for the report, as a number.

What is recognised is compared here and dropped: it is returned, written, logged and raised nowhere.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue

from .boxes import ALL_FRAMES, Box
from .recognizer import Recognizer
from .renderings import renderings

if TYPE_CHECKING:
    from .decode import FrameReader

_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName")
_TEXTS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "InstitutionName", "StudyID")
_DATES = ("PatientBirthDate",)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SHORTEST = 3
#: Shorter values count where they are a word of their own
_WITHIN_WORDS = 4
#: Characters that a small print makes one
_TWINS = str.maketrans("oilsbz", "011582")


def own_values_in(frames: "FrameReader", boxes: Iterable[Box], header: Dataset) -> int:
    """How many of the boxes read as something that holds a value of header's patient. header: the original's. Raises
    BadInput as renderings and frames do."""
    values = own_values(header)
    if not values:
        return 0
    return sum(any(holds(_recognizer().read(crop)[0], values) for crop in _crops(frames, box)) for box in boxes)


def own_values(header: Dataset) -> frozenset[str]:
    """Names' parts, identifiers, the institution and the birth date in its usual forms, folded."""
    found = {part for name in _texts(header, _NAMES) for part in _words(name)}
    found |= {fold(text) for text in _texts(header, _TEXTS)}
    found |= {form for date in _texts(header, _DATES) for form in _forms(date)}
    return frozenset(value for value in found if len(value) >= _SHORTEST)


def holds(text: str, values: frozenset[str]) -> bool:
    """Does recognised text hold one of the values? Case, accents, punctuation and look-alikes count for nothing."""
    words, whole = set(_words(text)), fold(text)
    return any(value in words or (len(value) >= _WITHIN_WORDS and value in whole) for value in values)


def fold(text: str) -> str:
    """Letters and digits only, in lower case, without accents, look-alikes as one."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum()).translate(_TWINS)


@cache
def _recognizer() -> Recognizer:
    return Recognizer()


def _crops(frames: "FrameReader", box: Box) -> list[np.ndarray]:
    """The box's part of the frame as shown, the first one of a loop."""
    frame = frames.frame(0 if box.frame == ALL_FRAMES else box.frame)
    return [picture[box.top : box.bottom, box.left : box.right] for picture in renderings(frame, frames.header)[:2]]


def _texts(header: Dataset, keywords: Iterable[str]) -> Iterator[str]:
    for keyword in keywords:
        value = header.get(keyword)
        yield from map(str, value if isinstance(value, MultiValue) else [value] if value else [])


def _words(text: str) -> list[str]:
    parted = "".join(one if one.isalnum() or unicodedata.combining(one) else " " for one in text)
    return [fold(word) for word in parted.split()]


def _forms(date: str) -> list[str]:
    """Of YYYYMMDD: the orders of day, month and year that are printed, month also as a word."""
    year, month, day = date[:4], date[4:6], date[6:8]
    if len(date) != 8 or not date.isdigit() or not 1 <= int(month) <= 12:
        return []
    word = _MONTHS[int(month) - 1]
    short = year[2:]
    digits = (year + month + day, day + month + year, month + day + year, day + month + short, month + day + short)
    return [fold(form) for form in (*digits, day + word + year, word + day + year, year + word + day)]
