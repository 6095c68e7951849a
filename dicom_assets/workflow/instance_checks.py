"""Checks of one de-identified file that validate and verify share: they take (reason, place) pairs from it."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from mmap import mmap
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from ..deid.residual import Piece

Problem = tuple[str, str]  #: reason code, place
_LARGE = 8 << 20  # bytes; nothing that names somebody is as long

#: The elements that identify by definition, whatever PS3.15 says of them: the users' own default list.
STANDARD_KEYWORDS = tuple(
    keyword
    for line in (
        "PatientName PatientID PatientBirthDate PatientSex PatientAge PatientAddress PatientWeight",
        "PatientTelephoneNumbers OtherPatientIDs OtherPatientNames EthnicGroup",
        "InstitutionName InstitutionAddress ReferringPhysicianName PhysiciansOfRecord PerformingPhysicianName",
        "OperatorsName StudyID AccessionNumber StudyDate SeriesDate AcquisitionDate ContentDate",
        "StudyTime SeriesTime AcquisitionTime ContentTime",
    )
    for keyword in line.split()
)
STANDARD_TAGS = frozenset(map(tag_for_keyword, STANDARD_KEYWORDS))
#: Of these, what names the patient: no file that says its patient's identity is removed may have the original's.
_NAMING_TAGS = frozenset(map(tag_for_keyword, ("PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames")))
#: Of these, what no de-identified file has a use for: without its original, any value but a placeholder is suspect.
DIRECT_TAGS = STANDARD_TAGS - frozenset(
    tag_for_keyword(keyword)
    for keyword in STANDARD_KEYWORDS
    if keyword.endswith(("Date", "Time")) or keyword in ("PatientSex", "PatientAge", "PatientWeight", "EthnicGroup")
)
#: Names of persons: no profile that is shipped keeps one, whatever its options.
NAME_TAGS = frozenset(tag for tag, (vr, *_) in DicomDictionary.items() if vr == "PN")
_DUMMIES = re.compile(
    r"(anon(ymous|ymized)?|unknown|removed|dummy|none|no ?name|other|o|x+|0*y?|0*1?9?0*10?1|19000101\d*|00010101\d*)",
    re.IGNORECASE,
)
IDENTITY_REMOVED = 0x00120062
#: Length, version, class and instance, transfer syntax, implementation (PS3.10 7.1)
_NEEDED_META = frozenset({0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013})
_OVERLAY_TYPE, _OVERLAY_DATA = 0x0040, 0x3000
#: Description, label, comments
_TEXTS_OF_OVERLAYS = frozenset({0x0022, 0x1500, 0x4000})


def read_file(encoded: bytes | mmap) -> FileDataset | None:
    """The file as pydicom reads it, without force; None where it cannot, or where what makes it a file is missing."""
    if isinstance(encoded, bytes):
        return _read(io.BytesIO(encoded))
    encoded.seek(0)
    return _read(encoded)


def read_header(path: Path) -> FileDataset | None:
    """As read_file, but large values, as pixels, stay in the file until they are asked for."""
    return _read(path)


def _read(source: Path | io.BytesIO | mmap) -> FileDataset | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dcmread(source, defer_size=_LARGE if isinstance(source, Path) else None)
        except Exception:  # pydicom raises what its parts raise (struct.error, zlib.error, RecursionError ...)
            return None
    naming = [value_of(dataset, "SOPClassUID"), value_of(dataset, "SOPInstanceUID")]
    naming.append(value_of(dataset.file_meta, "TransferSyntaxUID"))
    return dataset if all(isinstance(uid, UID) for uid in naming) else None


def value_at_top(pieces: Iterable[Piece], tag: int) -> str:
    """The first top-level value of a data set's element, as Latin-1 text without padding; empty where absent."""
    for piece in pieces:
        if piece.tag == tag and not piece.path and not piece.zone:
            return piece.value.decode("latin-1").strip("\0 ")
    return ""


def value_of(dataset: Dataset, keyword: str) -> object:
    """A top-level element's value; None where it is absent, empty or damaged."""
    try:
        value = dataset.get(keyword)
    except Exception:  # of a damaged value pydicom raises what its parts raise
        return None
    return None if value == "" else value


def text(dataset: Dataset, keyword: str) -> str:
    value = value_of(dataset, keyword)
    return "" if value is None else str(value)


def number(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """default where there is not exactly one number."""
    try:
        return int(value_of(dataset, keyword) or default)
    except (ValueError, TypeError, OverflowError):
        return default


def private_elements(pieces: Iterable[Piece]) -> Iterator[Problem]:
    """At any depth, and in the file meta, where (0002,0100) and (0002,0102) are private by meaning."""
    for piece in pieces:
        if (piece.tag >> 16) % 2 or piece.tag in (0x00020100, 0x00020102):
            yield "PRIVATE_ELEMENT_LEFT", piece.place


def says_option(pieces: Iterable[Piece], code: bytes) -> bool:
    """De-identification Method Code Sequence names this option of CID 7050."""
    return any(
        piece.tag == 0x00080100 and piece.path[:1] and piece.path[0][0] == 0x00120064 and piece.value.strip() == code
        for piece in pieces
    )


def meta_out_of_step(pieces: list[Piece]) -> Iterator[Problem]:
    """File meta that contradicts the data set."""
    meta = {piece.tag: piece.value.decode("latin-1").strip("\0 ") for piece in pieces if piece.zone == "file meta"}
    for copy, original in ((0x00020002, 0x00080016), (0x00020003, 0x00080018)):
        if meta.get(copy) != value_at_top(pieces, original):
            yield "UID_INCONSISTENT", f"file meta (0002,{copy & 0xFFFF:04X})"


def needless_meta(pieces: Iterable[Piece]) -> Iterator[Problem]:
    """AE titles, addresses and private information in the file meta: who sent the file to whom."""
    for piece in pieces:
        if piece.zone == "file meta" and piece.tag not in _NEEDED_META and not is_dummy(_plain(piece.value)):
            yield "STANDARD_TAG_NOT_CLEANED", piece.place


def drawn_overlays(pieces: list[Piece]) -> Iterator[Problem]:
    """Overlays that are no regions of interest (type R) may show a name; their texts may say one."""
    overlays = [piece for piece in pieces if piece.tag >> 24 == 0x60 and piece.value.strip(b"\0 ")]
    regions = {
        (piece.path, piece.tag >> 16)
        for piece in overlays
        if piece.tag & 0xFFFF == _OVERLAY_TYPE and piece.value.strip(b"\0 ") == b"R"
    }
    for piece in overlays:
        number, is_region = piece.tag & 0xFFFF, (piece.path, piece.tag >> 16) in regions
        if number in _TEXTS_OF_OVERLAYS or (number in (_OVERLAY_TYPE, _OVERLAY_DATA) and not is_region):
            yield "OVERLAY_LEFT", piece.place


def unparsed(pieces: Iterable[Piece]) -> Iterator[Problem]:
    """Bytes that belong to no element."""
    for piece in pieces:
        if not piece.tag and piece.zone != "preamble" and piece.value.strip(b"\0"):
            yield "FILE_UNREADABLE", piece.place


def identity_flag(pieces: list[Piece], kept_tags: frozenset[int]) -> Iterator[Problem]:
    """PatientIdentityRemoved must be YES; NO is right only where the profile keeps the patient's name or ID."""
    flag = value_at_top(pieces, IDENTITY_REMOVED)
    if flag != "YES" and not (flag == "NO" and kept_tags & _NAMING_TAGS):
        yield "IDENTITY_FLAG_WRONG", "(0012,0062)"


def standard_tags_kept(original: Iterable[Piece], output: list[Piece], kept_tags: frozenset[int]) -> Iterator[Problem]:
    """Standard tags, at any depth, that still have a value of the original's, and not by the profile's will."""
    kept = kept_tags - _NAMING_TAGS if value_at_top(output, IDENTITY_REMOVED) == "YES" else kept_tags
    before: dict[int, set[bytes]] = {}
    for piece in original:
        if piece.tag in STANDARD_TAGS and not piece.zone:
            before.setdefault(piece.tag, set()).add(_plain(piece.value))
    for piece in output:
        if piece.tag in before and piece.tag not in kept and not piece.zone:
            value = _plain(piece.value)
            if value in before[piece.tag] and not is_dummy(value):
                yield "STANDARD_TAG_NOT_CLEANED", piece.place


def is_dummy(value: bytes) -> bool:
    """Nothing, or a placeholder: it would say nothing if it were the original's."""
    return _DUMMIES.fullmatch(value.decode("latin-1").replace(".", "")) is not None


def _plain(value: bytes) -> bytes:
    return value.strip(b"\0 ^")
