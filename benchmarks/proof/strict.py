"""What the rows of the key do not see: dropped and added files, dates that moved by different amounts or were lost, two
patients under one ID, and any planted string anywhere in the bytes or the names of the output."""

import re
import zlib
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import product

from pydicom.uid import DeflatedExplicitVRLittleEndian

from benchmarks.proof.key import Action, AnswerKey
from benchmarks.proof.output import Made, Output, text_at
from benchmarks.proof.sheet import TIME

_ENCODINGS = """
    ascii utf-8 latin-1 utf-16-le utf-16-be iso8859_5 iso8859_7 koi8_r cp1251 iso2022_jp shift_jis euc_jp euc_kr gb18030
""".split()
_SHORTEST = 5  # bytes: shorter strings stand in pixels by chance
_DAY = re.compile(r"(?:19|20)[0-9]{6}")
_PREAMBLE_AND_PREFIX, _GROUP_LENGTH_ELEMENT = 132, 12  # bytes


@dataclass
class Findings:
    """dropped, added: instances and files. uneven: patients whose dates moved by more than one amount, or not at all.
    lost: dates that are gone or no dates, of those that should have moved. merged: patients that share an ID.
    found: (file below the output, planted strings in it)."""

    dropped: int = 0
    added: int = 0
    uneven: int = 0
    lost: int = 0
    merged: int = 0
    found: list[tuple[str, set[str]]] = field(default_factory=list)


def look(key: AnswerKey, output: Output) -> Findings:
    """Burned-in text is not looked for."""
    asked = {one.instance for one in key.answers if one.action is not Action.PIXELS_HIDDEN}
    findings = Findings(dropped=len(asked - output.made.keys()), added=len(output.added))
    shifts, findings.lost = _shifts(key, output)
    allowed = 1 if _moves_times(key, output) else 0
    findings.uneven = sum(max(days) - min(days) > allowed or days == {0} for days in shifts.values())
    findings.merged = _merged(key, output)
    patient_of = {one.uid: one.patient for one in key.instances}
    wanted = _wanted(key, {patient: days for patient, days in shifts.items() if len(days) == 1})
    for uid, made in output.made.items():
        if uid not in asked:
            continue
        name = made.path.relative_to(output.folder).as_posix()
        data = _content(made).lower() + b"\n" + name.lower().encode()
        hits = {way.decode("latin-1") for way in wanted[patient_of[uid]] if way in data and _stands_alone(way, data)}
        if hits:
            findings.found.append((name, hits))
    return findings


def _shifts(key: AnswerKey, output: Output) -> tuple[dict[str, set[int]], int]:
    """patient -> days that their dates moved by; and how many dates have got lost."""
    patient_of = {one.uid: one.patient for one in key.instances}
    shifts, lost = defaultdict(set), 0
    for answer in key.answers:
        made = output.made.get(answer.instance)
        if answer.action is not Action.DATE_SHIFTED or made is None:
            continue
        old, new = _date(answer.text), _date(text_at(made.data_set, answer.path) or "")
        if new is None:
            lost += 1
        else:
            shifts[patient_of[answer.instance]].add((new - old).days)
    return shifts, lost


def _moves_times(key: AnswerKey, output: Output) -> bool:
    """Whether times of the day move along: then a date may move by a day more than another."""
    for answer in key.answers:
        made = output.made.get(answer.instance)
        if answer.category == TIME and made is not None and text_at(made.data_set, answer.path) != answer.value:
            return True
    return False


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _merged(key: AnswerKey, output: Output) -> int:
    patients = {one.patient for one in key.instances if one.uid in output.made}
    ids = [output.patients.get(patient, "") for patient in patients]
    return len(ids) - len(set(ids))


def _wanted(key: AnswerKey, shifts: dict[str, set[int]]) -> dict[str, set[bytes]]:
    """patient -> all that was planted of theirs, in lower case and in every encoding, but days that another of their
    days has been moved to."""
    planted = defaultdict(set)
    for one in key.planted:
        planted[one.patient].add(one.text)
    for patient, texts in planted.items():
        days = {text: day for text in texts if _DAY.fullmatch(text) and (day := _date(text))}
        for shift in shifts.get(patient, ()):
            texts -= {text for text, day in days.items() if any((day - other).days == shift for other in days.values())}
    return {one.patient: {way for text in planted[one.patient] for way in _encoded(text)} for one in key.instances}


@cache
def _encoded(text: str) -> frozenset[bytes]:
    ways = set()
    for form, encoding in product({text, text.replace("^", " ").strip()}, _ENCODINGS):
        with suppress(UnicodeEncodeError):
            ways.add(form.encode(encoding).removesuffix(b"\x1b(B").lower())
    return frozenset(way for way in ways if len(way) >= _SHORTEST)


def _stands_alone(way: bytes, data: bytes) -> bool:
    """Numbers and plain words count only where no longer ones are around them."""
    before = rb"(?<![0-9.])" if way[:1].isdigit() else rb"(?<![a-z])" if way[:1].isalpha() else b""
    after = rb"(?![0-9])" if way[-1:].isdigit() else rb"(?![a-z])" if way[-1:].isalpha() else b""
    return re.search(before + re.escape(way) + after, data) is not None


def _content(made: Made) -> bytes:
    """All bytes of the file; what is deflated also as it was before."""
    data = made.path.read_bytes()
    meta = made.data_set.file_meta
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return data
    start = _PREAMBLE_AND_PREFIX + _GROUP_LENGTH_ELEMENT + meta.FileMetaInformationGroupLength
    return data + zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:])
