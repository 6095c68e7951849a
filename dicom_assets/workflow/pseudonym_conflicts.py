"""One patient has one pseudonym and one pseudonym one patient, over all batches."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from ..deid.pseudonyms import PseudonymKey
from ..storage.manifests import ResolvedStudy
from ..storage.mapping import MappedStudy

PSEUDONYM_CONFLICT = "PATIENT_PSEUDONYM_CONFLICT"


def refuse_pseudonym_conflicts(
    key: PseudonymKey, studies: Iterable[ResolvedStudy], in_use: dict[str, str]
) -> list[ResolvedStudy]:
    """Studies whose patient would have two pseudonyms, or whose pseudonym two patients, or is a patient's ID, are
    refused before anything is retrieved. in_use: original patient ID -> pseudonym, as settled_pseudonyms() has it.
    Sorted by study key."""
    studies = [_as_before(key, study, in_use) for study in sorted(studies, key=lambda study: study.study_key)]
    pseudonyms, patients = defaultdict(set), defaultdict(set)
    pairs = {(s.patient_id, pseudonym_of(key, s)) for s in studies if s.state == "found"} | set(in_use.items())
    for patient, pseudonym in pairs:
        if patient and pseudonym:
            pseudonyms[patient].add(pseudonym)
            patients[pseudonym.casefold()].add(patient)  # a folder's name, and many file systems ignore case
    return [
        replace(study, state="refused", reason=PSEUDONYM_CONFLICT)
        if study.state == "found"
        and (
            len(pseudonyms[study.patient_id]) > 1
            or len(patients[pseudonym_of(key, study).casefold()]) > 1
            or (study.pseudonym and study.pseudonym in pseudonyms)  # a patient's ID
        )
        else study
        for study in studies
    ]


def _as_before(key: PseudonymKey, study: ResolvedStudy, in_use: dict[str, str]) -> ResolvedStudy:
    """A study that brings no pseudonym takes the one that the site gave its patient in an earlier batch."""
    given = in_use.get(study.patient_id, "") if study.patient_id and study.state == "found" else ""
    if study.pseudonym or not given or given == pseudonym_of(key, study):
        return study
    return replace(study, pseudonym=given)


def pseudonym_of(key: PseudonymKey, study: ResolvedStudy) -> str:
    """What the patient will be called; empty where that depends on how the files encode the ID."""
    if study.pseudonym or not study.patient_id.isascii():
        return study.pseudonym
    return key.patient(study.patient_id.encode())


def contradicting(studies: Iterable[MappedStudy], in_use: dict[str, str]) -> set[str]:
    """Keys of the studies that would give a patient of other batches a second pseudonym, or a pseudonym of theirs a
    second patient, as the files themselves name them: what was asked for at the beginning may have changed meanwhile,
    and other files of a study may name others than the first. in_use: original patient ID -> pseudonym."""
    # One ID may be encoded in several ways, and read in several: only ASCII is the same for all.
    patients = {pseudonym: patient for patient, pseudonym in in_use.items() if patient and patient.isascii()}
    found = set()
    for study in studies:
        pairs = {(one.original_patient_id, one.patient_pseudonym) for one in study.instances if not one.reason}
        for patient, pseudonym in pairs:
            is_other = patient.isascii() and patients.get(pseudonym, patient) != patient
            if patient and (is_other or in_use.get(patient, pseudonym) != pseudonym):
                found.add(study.study_key)
    return found
