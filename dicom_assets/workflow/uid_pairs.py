"""Original and output side by side: which UID stands where which stood, and whether that is one story in the batch."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.uid import UID_dictionary

from ..deid.residual import Piece
from .date_offsets import compare_offsets
from .verdict import Finding, PatientPair, StudyVerdict, UidPair

CHECK = "uids_are_consistent"
_SOP_INSTANCE, _STUDY, _SERIES, _FRAME_OF_REFERENCE = 0x00080018, 0x0020000D, 0x0020000E, 0x00200052
_DEFINING = frozenset({_SOP_INSTANCE, _STUDY, _SERIES, _FRAME_OF_REFERENCE})
#: UIDs that name a class, a syntax, a scheme: no object of a patient.
_KINDS = re.compile("ClassUID|Classes|TransferSyntax|CodingScheme|Context|MappingResource|Implementation")


ObjectUids = dict[tuple, tuple[str, list[str]]]  #: (path, tag) -> place, values


def object_uids(pieces: Iterable[Piece]) -> ObjectUids:
    """Of each element of a data set that names objects by UID."""
    found = {}
    for piece in pieces:
        if piece.vr not in ("UI", "UN") or piece.zone or not piece.value or _names_a_kind(piece.tag):
            continue
        if piece.vr == "UN" and not is_uid(piece.tag):
            continue
        values = [value.strip("\0 ") for value in piece.value.decode("latin-1").split("\\")]
        found[(piece.path, piece.tag)] = (piece.place, values)
    return found


@lru_cache(maxsize=8192)
def is_uid(tag: int) -> bool:
    """By the dictionary: an element of VR UN may be one."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "UI"


@lru_cache(maxsize=8192)
def _names_a_kind(tag: int) -> bool:
    return _KINDS.search(keyword_for_tag(tag) or "") is not None


def uid_pairs(original: ObjectUids, output: ObjectUids, instance: str) -> list[UidPair]:
    """original: at the output's paths. UIDs that the standard lists are left out where they did not change."""
    pairs = []
    for (path, tag), (place, new_values) in output.items():
        old_values = original.get((path, tag), ("", []))[1]
        if len(old_values) != len(new_values):
            continue
        for old, new in zip(old_values, new_values, strict=True):
            if old and new and not (old == new and old in UID_dictionary):
                pairs.append(UidPair(old, new, instance, place, defines=not path and tag in _DEFINING))
    return pairs


def distinct_pairs(pairs: Iterable[UidPair]) -> tuple[UidPair, ...]:
    """One of each old, new and role: the instance's own UID always, the rest from the first instance that has it."""
    first = {}
    for pair in pairs:
        first.setdefault((pair.old, pair.new, pair.defines), pair)
    return tuple(first.values())


def compare_studies(
    verdicts: Iterable[StudyVerdict], offsets: Mapping[str, set[int]] = MappingProxyType({})
) -> tuple[Finding, ...]:
    """Over a batch: one old UID <-> one new UID, one patient <-> one pseudonym, references lead to the same object as
    before, no new UID is an old one, no instance is there twice, one patient has one date offset. offsets: pseudonym ->
    days, of other batches."""
    verdicts = sorted(verdicts, key=lambda verdict: verdict.study_key)
    findings = [*_uid_findings(verdicts), *_patient_findings(verdicts), *_repeated_instances(verdicts)]
    findings += compare_offsets(verdicts, offsets)
    return tuple(sorted(set(findings), key=lambda f: (f.study_key, f.instance, f.reason, f.place)))


def _uid_findings(verdicts: list[StudyVerdict]) -> list[Finding]:
    pairs = [(verdict.study_key, pair) for verdict in verdicts for pair in verdict.uid_pairs]
    changed = [(key, pair) for key, pair in pairs if pair.old != pair.new]
    defined, new_of, old_of = defaultdict(set), defaultdict(set), defaultdict(set)
    for _, pair in pairs:
        new_of[pair.old].add(pair.new)
        old_of[pair.new].add(pair.old)
        if pair.defines:
            defined[pair.old].add(pair.new)
    findings = []
    for key, pair in pairs:
        broken = pair.old in defined and defined[pair.old] != {pair.new}
        if broken and not pair.defines:
            findings.append(Finding(key, pair.instance, CHECK, "REFERENCE_BROKEN", pair.place))
        elif len(new_of[pair.old]) > 1 and (pair.defines or pair.old not in defined):
            findings.append(Finding(key, pair.instance, CHECK, "UID_INCONSISTENT", pair.place))
        if len(old_of[pair.new]) > 1:
            findings.append(Finding(key, pair.instance, CHECK, "UID_NOT_UNIQUE", pair.place))
    findings += [
        Finding(key, pair.instance, CHECK, "UID_NOT_NEW", pair.place) for key, pair in changed if pair.new in new_of
    ]
    return findings


def _patient_findings(verdicts: list[StudyVerdict]) -> list[Finding]:
    """A patient without an ID is not told from another such; their studies may have pseudonyms of their own."""
    patients = [(verdict.study_key, patient) for verdict in verdicts for patient in verdict.patients]
    pseudonyms, ids = defaultdict(set), defaultdict(set)
    for _, patient in patients:
        pseudonyms[_identity(patient)].add(patient.pseudonym)
        ids[patient.pseudonym].add(patient.patient_id)
    findings = []
    for key, patient in patients:
        if patient.patient_id and len(pseudonyms[_identity(patient)]) > 1:
            findings.append(Finding(key, patient.instance, CHECK, "PATIENT_INCONSISTENT", "(0010,0020)"))
        if patient.pseudonym and len(ids[patient.pseudonym]) > 1:
            findings.append(Finding(key, patient.instance, CHECK, "PSEUDONYM_NOT_UNIQUE", "(0010,0020)"))
    return findings


def _identity(patient: PatientPair) -> tuple[str, str]:
    return patient.patient_id, patient.issuer


def _repeated_instances(verdicts: list[StudyVerdict]) -> list[Finding]:
    seen, findings = {}, []
    for verdict in verdicts:
        for facts in verdict.instances:
            other = seen.setdefault(facts.instance, verdict.study_key)
            if other != verdict.study_key:
                findings += [
                    Finding(key, facts.instance, CHECK, "UID_NOT_UNIQUE", "(0008,0018)")
                    for key in (verdict.study_key, other)
                ]
    return findings
