"""What the embedded archive knows of its instances, and how a C-FIND identifier selects among them (PS3.4 C.2.2.2)."""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}

#: Attributes that can be matched and returned, by level.
KEYWORDS = {
    "PATIENT": "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex OtherPatientNames",
    "STUDY": (
        "StudyInstanceUID StudyDate StudyTime AccessionNumber StudyID StudyDescription ReferringPhysicianName "
        "PatientAge NameOfPhysiciansReadingStudy"
    ),
    "SERIES": (
        "SeriesInstanceUID Modality SeriesNumber SeriesDate SeriesTime SeriesDescription BodyPartExamined ProtocolName "
        "InstitutionName StationName PerformingPhysicianName PerformedProcedureStepStartDate"
    ),
    "IMAGE": (
        "SOPInstanceUID SOPClassUID InstanceNumber AcquisitionDate AcquisitionTime ContentDate ContentTime "
        "Rows Columns BitsAllocated NumberOfFrames"
    ),
}
_ALL_KEYWORDS = [keyword for keywords in KEYWORDS.values() for keyword in keywords.split()]

_WILDCARD_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}


@dataclass(frozen=True)
class Entry:
    """One stored instance. header: what of KEYWORDS it has, with its SpecificCharacterSet, values decoded."""

    path: Path
    transfer_syntax_uid: str
    header: Dataset

    def uid_of(self, level: str) -> str:
        return str(self.header.get(UNIQUE_KEYS[level], ""))


def read_entry(path: Path) -> Entry | None:
    """None where path is no Part 10 instance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values are the archive's business, not its caller's
        try:
            data_set = dcmread(path, stop_before_pixels=True, specific_tags=[*_ALL_KEYWORDS, "SpecificCharacterSet"])
            data_set.decode()
            list(data_set)
        except InvalidDicomError:
            return None
    if "SOPInstanceUID" not in data_set or "TransferSyntaxUID" not in data_set.file_meta:
        return None
    header = Dataset()
    header.update(data_set)
    return Entry(path, str(data_set.file_meta.TransferSyntaxUID), header)


def matches(entry: Entry, identifier: Dataset, level: str) -> bool:
    """Whether the instance has what the identifier's keys at this level and above ask for. Unknown keys match."""
    for above in LEVELS[: LEVELS.index(level) + 1]:
        for keyword in KEYWORDS[above].split():
            if keyword in identifier and not _key_matches(
                identifier[keyword].value, entry.header.get(keyword), keyword
            ):
                return False
    return True


def modalities_match(identifier: Dataset, modalities: Iterable[str]) -> bool:
    """ModalitiesInStudy: any of the asked in any of the study's."""
    asked = _texts(identifier.get("ModalitiesInStudy"))
    return not asked or any(_text_matches(one, modality, "CS") for one in asked for modality in modalities)


def _key_matches(asked: object, held: object, keyword: str) -> bool:
    vr = dictionary_VR(keyword)
    wanted, values = _texts(asked), _texts(held)
    if not wanted or wanted == ["*"]:
        return True
    if vr == "UI":
        return any(value in wanted for value in values)
    if len(wanted) > 1:
        wanted = ["\\".join(wanted)] if vr != "CS" else wanted
    return any(_text_matches(one, value, vr) for one in wanted for value in values)


def _text_matches(asked: str, held: str, vr: str) -> bool:
    if vr in ("DA", "TM", "DT"):
        return _in_range(asked, held, vr)
    if vr in ("IS", "DS", "US"):
        return asked.strip() == held.strip()
    if vr not in _WILDCARD_VRS:
        return asked == held
    pattern = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in asked)
    flags = re.DOTALL | (re.IGNORECASE if vr == "PN" else 0)
    candidates = [held, *held.split("=")] if vr == "PN" else [held]
    return any(re.fullmatch(pattern, candidate, flags) for candidate in candidates)


def _in_range(asked: str, held: str, vr: str) -> bool:
    """Single values and ranges, either end open. A coarse end covers all that begins with it."""
    clean = str.maketrans("", "", ".:" if vr == "TM" else "")
    value = held.replace(".", "") if vr == "DA" else held.translate(clean)
    first, dash, last = asked.partition("-")
    first, last = (end.strip().replace(".", "").replace(":", "") for end in (first, last))
    if not dash:
        return value.startswith(first)
    return value >= first and (not last or value[: len(last)] <= last)


def _texts(value: object) -> list[str]:
    """The non-empty values as text."""
    if value is None:
        return []
    several = value if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else [value]
    return [text for text in map(str, several) if text]
