"""Writes dicom_assets/deid/profiles/dictionary.csv and well_known_uids.txt.

Source: pydicom's tables of PS3.6 (data elements, repeating groups, UIDs); the elements of PS3.15 Table E.1-1, edition
2026d, that they do not have yet, with the VR that PS3.6 gives them; and the coding schemes of PS3.16 Table 8-1. A copy
of our own, so that the same profile gives the same output with every version of pydicom, and so that de-identifying
needs no pydicom.
"""

from pathlib import Path

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._uid_dict import UID_dictionary

FOLDER = Path(__file__).parents[1] / "dicom_assets" / "deid" / "profiles"

#: tag -> VR, VM, keyword
NEWER = {
    0x00081301: ("SQ", "1", "PrincipalDiagnosisCodeSequence"),
    0x00081302: ("SQ", "1", "PrimaryDiagnosisCodeSequence"),
    0x00081303: ("SQ", "1", "SecondaryDiagnosesCodeSequence"),
    0x00081304: ("SQ", "1", "HistologicalDiagnosesCodeSequence"),
    0x00100011: ("SQ", "1", "PersonNamesToUseSequence"),
    0x00100012: ("LT", "1", "NameToUse"),
    0x00100013: ("UT", "1", "NameToUseComment"),
    0x00100014: ("SQ", "1", "ThirdPersonPronounsSequence"),
    0x00100015: ("SQ", "1", "PronounCodeSequence"),
    0x00100016: ("UT", "1", "PronounComment"),
    0x00100041: ("SQ", "1", "GenderIdentitySequence"),
    0x00100042: ("UT", "1", "SexParametersForClinicalUseCategoryComment"),
    0x00100043: ("SQ", "1", "SexParametersForClinicalUseCategorySequence"),
    0x00100044: ("SQ", "1", "GenderIdentityCodeSequence"),
    0x00100045: ("UT", "1", "GenderIdentityComment"),
    0x00100046: ("SQ", "1", "SexParametersForClinicalUseCategoryCodeSequence"),
    0x00100047: ("UR", "1", "SexParametersForClinicalUseCategoryReference"),
    0x00102162: ("UC", "1-n", "EthnicGroups"),
    0x0040A034: ("DT", "1", "EffectiveStartDateTime"),
    0x0040A035: ("DT", "1", "EffectiveStopDateTime"),
    0x0040B034: ("DT", "1", "AnnotationDateTime"),
    0x0040B036: ("DT", "1", "SegmentDefinitionDateTime"),
    0x0040B03B: ("LO", "1", "MontageName"),
    0x0040B03F: ("SH", "1", "MontageChannelLabel"),
    0x0040E012: ("UR", "1", "DisplayURI"),
    0x3004007F: ("LO", "1", "DoseCalculationModelName"),
}

#: Coding schemes of PS3.16 Table 8-1 that are neither in PS3.6 nor under HL7's root for them (deid/dictionary.py)
CODING_SCHEMES = {
    "1.2.840.10008.2.16.13",  # IBSI
    "1.2.840.10008.2.16.14",  # RO
    "1.2.840.10008.2.16.15",  # RADELEMENT
    "1.2.840.10008.2.16.16",  # I11
    "1.2.840.10008.2.16.17",  # UNS
    "1.2.840.10008.2.16.18",  # RRID
    "1.2.840.10065.1.12",  # ASTM-sigpurpose
    "1.3.6.1.4.1.19376.1.8.2.1",  # PATHLEX
    "2.16.1",  # ISO3166_1
    "2.16.840.1.113883.15.2",  # NBD
    "2.16.840.1.113883.15.3",  # NBG
    "2.16.840.1.113883.2.1.3.2.4.21",  # NICIP
    "2.16.840.1.113883.3.26.1.1",  # NCIt
    "2.16.840.1.113883.3.26.2",  # caDSR
    "2.16.840.1.113883.6.43.1",  # ICDO3
}


def rows() -> list[str]:
    known = {tag: (vr, vm, keyword, retired) for tag, (vr, vm, _name, retired, keyword) in DicomDictionary.items()}
    newer = {tag: (*row, "") for tag, row in NEWER.items() if tag not in known}
    lines = {
        f"{tag:08X}": f"{vr},{vm},{keyword},{'R' if retired else ''}"
        for tag, (vr, vm, keyword, retired) in (known | newer).items()
    }
    for mask, (vr, vm, _name, retired, keyword) in RepeatersDictionary.items():
        lines[mask] = f"{vr},{vm},{keyword},{'R' if retired else ''}"
    return [f"{tag},{row}" for tag, row in sorted(lines.items())]


if __name__ == "__main__":
    (FOLDER / "dictionary.csv").write_text("tag,vr,vm,keyword,retired\n" + "\n".join(rows()) + "\n", "ascii")
    (FOLDER / "well_known_uids.txt").write_text("\n".join(sorted({*UID_dictionary, *CODING_SCHEMES})) + "\n", "ascii")
