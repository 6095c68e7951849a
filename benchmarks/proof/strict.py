"""What the rows of the key do not see: dropped and added files, patients whose dates moved by different amounts, two
patients under one ID, and any planted string anywhere in the bytes or the names of the output, however it is spelt."""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import product

from pydicom.uid import DeflatedExplicitVRLittleEndian

from benchmarks.proof.key import ABOUT_PIXELS, AnswerKey
from benchmarks.proof.letters import bare, plain_forms
from benchmarks.proof.moves import day_and_rest, moves, moves_times
from benchmarks.proof.output import Made, Output

_ENCODINGS = """
    ascii utf-8 latin-1 utf-16-le utf-16-be iso8859_5 iso8859_7 koi8_r cp1251 iso2022_jp shift_jis euc_jp euc_kr gb18030
""".split()
_SHORTEST = 5  # bytes: shorter strings stand in pixels by chance
_DAY = re.compile(r"(?:19|20)[0-9]{6}")
_PREAMBLE_AND_PREFIX, _GROUP_LENGTH_ELEMENT = 132, 12  # bytes


@dataclass
class Findings:
    """dropped, added: instances and files. uneven: patients whose dates moved by more than one amount, or not at all.
    merged: patients that share an ID. found: (file below the output, planted strings in it)."""

    dropped: int = 0
    added: int = 0
    uneven: int = 0
    merged: int = 0
    found: list[tuple[str, set[str]]] = field(default_factory=list)


def look(key: AnswerKey, output: Output) -> Findings:
    """Planted strings only in instances whose headers are asked for."""
    asked = {one.instance for one in key.answers}
    with_header = {one.instance for one in key.answers if one.action not in ABOUT_PIXELS}
    findings = Findings(dropped=len(asked - output.made.keys()), added=len(output.added))
    shifts = {patient: set(days) for patient, days in moves(key, output).items()}
    allowed = 1 if moves_times(key, output) else 0
    findings.uneven = sum(max(days) - min(days) > allowed or days == {0} for days in shifts.values())
    findings.merged = _merged(key, output)
    patient_of = {one.uid: one.patient for one in key.instances}
    wanted = _wanted(key, {patient: days for patient, days in shifts.items() if len(days) == 1})
    for uid, made in output.made.items():
        if uid not in with_header:
            continue
        name = made.path.relative_to(output.folder).as_posix()
        ways, plain = wanted[patient_of[uid]]
        data = _content(made) + b"\n" + name.encode()
        hits = _hits(ways, data.lower())
        if plain:  # without accents on both sides
            hits |= _hits(plain, bare(data.decode("utf-8", "replace")).encode())
            hits |= _hits(plain, bare(data.decode("latin-1")).encode())
        if hits:
            findings.found.append((name, hits))
    return findings


def _merged(key: AnswerKey, output: Output) -> int:
    patients = {one.patient for one in key.instances if one.uid in output.made}
    ids = [output.patients.get(patient, "") for patient in patients]
    return len(ids) - len(set(ids))


def _hits(ways: Iterable[bytes], data: bytes) -> set[str]:
    return {way.decode("latin-1") for way in ways if way in data and _stands_alone(way, data)}


def _wanted(key: AnswerKey, shifts: dict[str, set[int]]) -> dict[str, tuple[set[bytes], set[bytes]]]:
    """patient -> all that was planted of theirs, in lower case and in every encoding, but days that another of their
    days has been moved to; and what has accents once more without them, in UTF-8."""
    planted = defaultdict(set)
    for one in key.planted:
        planted[one.patient].add(one.text)
    for patient, texts in planted.items():
        days = {text: told[0] for text in texts if _DAY.fullmatch(text) and (told := day_and_rest(text))}
        for shift in shifts.get(patient, ()):
            texts -= {text for text, day in days.items() if any((day - other).days == shift for other in days.values())}
    return {
        patient: ({way for text in texts for way in _encoded(text)}, {way for text in texts for way in _plain(text)})
        for patient, texts in planted.items()
    }


@cache
def _plain(text: str) -> frozenset[bytes]:
    if text.isascii():
        return frozenset()
    ways = {form.replace("^", " ").encode() for form in plain_forms(text)}
    return frozenset(way for way in ways if len(way) >= _SHORTEST)


@cache
def _encoded(text: str) -> frozenset[bytes]:
    ways = set()
    forms = {text, text.replace("^", " ").strip()}
    for form, encoding in product({*forms, *map(str.lower, forms), *map(str.upper, forms)}, _ENCODINGS):
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
