"""The README's tables of what happens to which group of elements, under each shipped profile; made from the rules.

`python -m dicom_assets.workflow.profile_summary README.md` writes them anew between their two marks.
"""

import sys
from collections import Counter
from pathlib import Path

from ..deid.dictionary import tag_of, vr_of
from ..deid.profile import Profile, load_profile
from ..deid.profile_file import SHIPPED
from ..deid.rules import E_1_1, group_members
from ..deid.tables import rows_of

BEGIN, END = "<!-- profiles: begin -->", "<!-- profiles: end -->"
_CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_PSEUDONYM = frozenset(("PatientName", "PatientID"))

#: The groups of elements that a user can name, and what each is of
_GROUPS = {
    "patient_data": "Patient",
    "institution_data": "Institution and persons",
    "study_data": "Study and order numbers",
    "dates": "Dates and times",
    "regenerate_uids": "UIDs",
}
#: The elements that every profile is asked about first
ELEMENTS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight", "EthnicGroup",
    "PatientAddress", "PatientTelephoneNumbers", "OtherPatientIDs", "OtherPatientNames", "InstitutionName",
    "InstitutionAddress", "ReferringPhysicianName", "PhysiciansOfRecord", "PerformingPhysicianName", "OperatorsName",
    "StudyID", "AccessionNumber", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "StudyTime",
    "SeriesTime", "AcquisitionTime", "ContentTime", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
    "FrameOfReferenceUID", "StudyDescription", "SeriesDescription", "ProtocolName", "DeviceSerialNumber",
    "StationName", "ContentSequence", "Manufacturer", "SoftwareVersions", "RetrieveURL",
)  # fmt: skip


def tables() -> str:
    """Markdown: the groups, then single elements of a CT image, a column a profile."""
    profiles = [load_profile(name) for name in SHIPPED]
    groups = [[title, *(_of_group(one, switch) for one in profiles)] for switch, title in _GROUPS.items()]
    groups.append(["Other rows of E.1-1", *(_of_group(one, "") for one in profiles)])
    groups += [[title, *(does(one) for one in profiles)] for title, does in _CLASSES.items()]
    elements = [[f"`{name}`", *(word_for(one, tag_of(name)) for one in profiles)] for name in ELEMENTS]
    return "\n\n".join(_markdown([first, *SHIPPED], rows) for first, rows in (("group", groups), ("element", elements)))


def _of_group(profile: Profile, switch: str) -> str:
    """How many elements of the group each thing happens to."""
    members = group_members()
    tags = (int(row["tag"], 16) for row in rows_of(E_1_1) if set(row["tag"]) <= set("0123456789ABCDEF"))
    words = Counter(word_for(profile, tag) for tag in tags if tag >> 16 > 4 and members.get(tag, "") == switch)
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items(), key=lambda one: (-one[1], one[0])))


def word_for(profile: Profile, tag: int) -> str:
    """What happens to an element of a CT image, in a word or two."""
    rule, vr = profile.explain(tag), vr_of(tag)
    if rule.keyword in _PSEUDONYM and rule.code != "K":
        return "pseudonym"
    action = profile.action_for(tag, vr, _CT_IMAGE_STORAGE, ())
    if action == "C":
        return _cleaned(vr, profile.dates)
    if action == "D" and vr == "SQ":
        return "cleaned"
    return {"X": "removed", "Z": "emptied", "D": "replaced", "U": "new UID", "K": "kept"}[action]


def _cleaned(vr: str, dates: str) -> str:
    if vr in ("DA", "DT"):
        return {"year": "year only", "shift": "shifted"}[dates]
    return {"TM": "kept", "AS": "capped at 90"}.get(vr, "cleaned")


def _example(keyword: str, profile: Profile) -> str:
    return word_for(profile, tag_of(keyword))


def _private(profile: Profile) -> str:
    return "those of E.3.10-1 kept" if profile.keeps_private else "removed"


def _pixels(profile: Profile) -> str:
    words = {"clean": "text blanked, else quarantined", "quarantine": "quarantined", "unexamined": "released"}
    return words[profile.pixels]


def _documents(profile: Profile) -> str:
    return {"quarantine": "quarantined", "drop": "removed", "allow": "kept"}[profile.encapsulated]


#: Elements that E.1-1 does not name, by one of their kind; then what is no element
_CLASSES = {
    "Other text": lambda profile: _example("SegmentDescription", profile),
    "Other text, technical by our list": lambda profile: _example("ConvolutionKernel", profile),
    "Other names of persons": lambda profile: _example("EvaluatorName", profile),
    "Other dates": lambda profile: _example("ExpirationDateTime", profile),
    "Other numbers and codes": lambda profile: _example("Rows", profile),
    "Elements that the dictionary does not know": lambda profile: word_for(profile, 0x00081FFE),
    "Overlays": lambda profile: "regions of interest kept" if "clean_graphics" in profile.options else "removed",
    "Curves, digital signatures": lambda profile: word_for(profile, 0x50003000),
    "Private elements": _private,
    "Encapsulated documents": _documents,
    "Images that may show text": _pixels,
}


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_tables(readme: str) -> str:
    """readme: Markdown that holds the two marks once each; what is between them is replaced."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text("utf-8")), "utf-8")
