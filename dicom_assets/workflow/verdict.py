"""What the independent check says of a study: the words that validate, verify and the report share."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

#: Check -> the plain statement that it proves. A check reads as a sentence that should be true.
CHECKS = {
    "file_opens": "Every file is a complete DICOM Part 10 file that opens without force, is the one that was "
    "recorded, and says whether the patient's identity was removed.",
    "no_residual_identifiers": "No name, identifier, date, address or UID of this patient's originals stands anywhere "
    "in a file: header at any depth, file meta, preamble, bytes after the data set, file name.",
    "no_identifiers_in_standard_tags": "The elements that identify by definition (name, ID, birth date, "
    "institution, physicians, study dates and times ...) are absent, empty or replaced.",
    "no_private_elements": "No private element is left, unless the profile keeps those that are known to be safe.",
    "uids_are_consistent": "Every UID is new and unique, one original has one new UID everywhere, one patient one "
    "pseudonym, and objects that referred to each other still do.",
    "dates_are_consistent": "Dates are as the profile promises: shifted, one number of days for all of a patient's "
    "dates and nothing else; or cut to the year; or gone.",
    "pixels_are_intact": "Every image has its original's pixels: the same encoded bytes, or the same array of numbers; "
    "where text was blanked, every pixel outside of it.",
    "no_text_in_pixels": "Every image that may show a name was cleaned, or a person has looked at it: what was blanked "
    "is one value, and in the file as it is now, decoded by another decoder, no text is found.",
    "values_are_as_before": "What the profile keeps (geometry, scaling, side, settings ...) is as it was, a text holds "
    "no word that its original has not, and nothing was added but what tells of the de-identification, truly.",
    "conforms_as_before": "dciodvfy, asked of one instance of each header shape of a study, finds no error that the "
    "original has not, but for what the profile removes.",
    "second_reader_opens_it": "dcmtk, an independent implementation, reads every file to its end.",
    "nothing_is_lost": "Counted again: each instance received became one that is de-identified or in quarantine; none "
    "is gone, doubled or invented.",
}


@dataclass(frozen=True)
class Finding:
    """Something that a check found. Pseudonymous through and through, as all that leaves the check."""

    study_key: str
    instance: str  #: the new SOPInstanceUID; what is known instead where a file has none; empty for the whole study
    check: str  #: a key of CHECKS
    reason: str  #: reason code
    place: str  #: `(0010,0010)`, `preamble` ...; never a value


@dataclass(frozen=True)
class InstanceFacts:
    """A de-identified instance as the report shows it; every value is of the de-identified file. sha256: hex; empty
    where it is withheld. pixels: how text was blanked (`native`, `rle`, `jpeg blocks`, `recoded`), `header only` where
    none was found, empty where nobody looked for it. blanked: rectangles."""

    study_key: str
    instance: str
    released_path: str
    modality: str
    sop_class: str  #: name
    transfer_syntax: str  #: name
    manufacturer: str
    rows: int  #: 0 where it has no pixels, as columns and frames
    columns: int
    frames: int
    bytes: int
    sha256: str = ""
    pixels: str = ""
    blanked: int = 0

    @property
    def is_released(self) -> bool:
        return self.sha256 != ""


@dataclass(frozen=True)
class Thumbnail:
    """png: at most 256 pixels wide and high. blanked: rectangles that were blanked, outlined in it."""

    study_key: str
    instance: str
    modality: str
    width: int
    height: int
    png: bytes
    blanked: int = 0


@dataclass(frozen=True)
class UidPair:
    """An original UID and what stands in its place. Identifiable: stays in the restricted zone."""

    old: str
    new: str
    instance: str  #: one that holds it
    place: str
    defines: bool  #: names the instance, its series, study or frame of reference; else a reference to such


@dataclass(frozen=True)
class PatientPair:
    """Identifiable, as UidPair."""

    patient_id: str
    issuer: str
    pseudonym: str
    instance: str


@dataclass(frozen=True)
class StudyVerdict:
    """findings: an instance named here is not released; one that names none of instances holds back the whole study.
    notes: worth saying, and no reason to withhold. UIDs, patients and date offsets may not leave the restricted
    zone."""

    study_key: str
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    instances: tuple[InstanceFacts, ...]
    uid_pairs: tuple[UidPair, ...]
    patients: tuple[PatientPair, ...]
    references: int  #: references to other objects that were followed from original to output
    thumbnails: tuple[Thumbnail, ...]
    date_offsets: tuple[tuple[str, int], ...] = ()  #: (pseudonym, days), of each patient with shifted dates
    looked_at: tuple[tuple[str, int], ...] = ()  #: (check, instances), of checks that do not look at all
    not_made: tuple[tuple[str, str], ...] = ()  #: (check, reason code), of checks whose tool is absent


def without_withheld(verdict: StudyVerdict, withheld: set[str]) -> StudyVerdict:
    """The verdict as it may be shown: of withheld instances no value at all, for a name may stand in any of them."""
    instances = tuple(
        replace(facts, released_path="", modality="", sop_class="", transfer_syntax="", manufacturer="", sha256="")
        if facts.instance in withheld
        else facts
        for facts in verdict.instances
    )
    thumbnails = tuple(one for one in verdict.thumbnails if one.instance not in withheld)
    return replace(verdict, instances=instances, thumbnails=thumbnails)


def withheld_instances(verdict: StudyVerdict, across: Iterable[Finding] = ()) -> set[str]:
    """New SOPInstanceUIDs of the study that must not be released. across: what compare_studies found; a contradiction
    between objects holds back the whole study, for it does not say which of them is wrong."""
    everything = {facts.instance for facts in verdict.instances}
    if any(finding.study_key == verdict.study_key for finding in across):
        return everything
    if any(finding.instance not in everything for finding in verdict.findings):
        return everything
    return {finding.instance for finding in verdict.findings}
