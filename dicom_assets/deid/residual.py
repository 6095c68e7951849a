"""What is left of this patient in these bytes?

The search of the independent check: it shares nothing with the code that de-identifies. A file is taken apart
(residual_pieces), and each piece that the profile does not itself keep or write is searched for the patient's own
values (residual_identifiers): as ASCII, as the text that its character set says, as UTF-8 and UTF-16, and as the bytes
that the original had. Pure: bytes in, hits out.
"""

import contextlib
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.charset import decode_bytes
from pydicom.datadict import tag_for_keyword

from .residual_encodings import hidden_texts
from .residual_identifiers import Identifiers, identifiers_of, merged
from .residual_pieces import AFTER_THE_DATA_SET, PIXEL_TAGS, Piece, pieces_of
from .residual_text import (
    dates_in,
    folded,
    folded_bytes,
    makers,
    names,
    ordinary_words,
    safe_creators,
    uids_in,
    vocabulary,
)

__all__ = [
    "AFTER_THE_DATA_SET",
    "PIXEL_TAGS",
    "Hit",
    "Identifiers",
    "Piece",
    "Search",
    "find_in_pieces",
    "find_in_text",
    "find_residuals",
    "identifiers_of",
    "merged",
    "pieces_of",
    "words_of",
]

_META_COPIES = {0x00020002: 0x00080016, 0x00020003: 0x00080018}  # file meta element -> element that it repeats
_TEXT_VRS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
_VALUES_OF_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # where a short ID may be the whole value
_MAY_HIDE_TEXT = _VALUES_OF_TEXT | {"AE", "CS", "OB", "OW", "UN", "UR", ""}
_NUMERIC_TEXT_VRS = frozenset({"DS", "IS", "TM"})
_CODED_VRS = frozenset("AT FD FL OB OD OF OL OV OW SL SS SV UL UN US UV".split())  # digits among them only in text
_NUMBER = re.compile(r"(?<![0-9.])[0-9]{5,}(?![0-9]|\.[0-9])")
_LONG_NUMBER = 8  # digits: shorter ones may be measurements
_WHOLE_NUMBER = 6  # digits of a whole value
#: Elements of codes, names of views and versions: an ID of fewer than 7 characters is equal to one by chance.
_CODES = frozenset(
    map(
        tag_for_keyword,
        "CodeValue LongCodeValue CodingSchemeDesignator CodingSchemeRegistry StackID StageName ViewName FilterType "
        "EnergyWindowName OpticalPathIdentifier ReferencedOpticalPathIdentifier".split(),
    )
)
#: Elements of versions, which are written like dates and like IDs.
_VERSIONS = frozenset(
    map(
        tag_for_keyword,
        "CodingSchemeVersion SecondaryCaptureDeviceSoftwareVersions HardcopyDeviceSoftwareVersion SoftwareVersions "
        "ApplicationVersion AlgorithmVersion ManufacturerModelVersion".split(),
    )
)
#: Elements of words and settings: an ID that is an ordinary word or a short number is equal to one by chance.
_WORDINGS = frozenset(
    map(
        tag_for_keyword,
        "CodeMeaning ConvolutionKernel ReceiveCoilName TransmitCoilName PlateType AcquisitionDeviceProcessingCode "
        "OutputPower WindowCenterWidthExplanation AttenuationCorrectionMethod".split(),
    )
)
_CODE_MEANING = 0x00080104  # eponyms are spelled out there
#: Elements that say of which make the equipment is; somebody may be called like a maker or a product.
_MAKES = _VERSIONS | frozenset(
    map(
        tag_for_keyword,
        "Manufacturer ManufacturerModelName ManufacturerRelatedModelGroup ComponentManufacturer WedgeManufacturerName "
        "SecondaryCaptureDeviceManufacturer SecondaryCaptureDeviceManufacturerModelName HardcopyDeviceManufacturer "
        "HardcopyDeviceManufacturerModelName DetectorManufacturerName DetectorManufacturerModelName "
        "ReceiveCoilManufacturerName TransmitCoilManufacturerName ApplicationManufacturer ModifyingDeviceManufacturer "
        "IOLManufacturer SourceManufacturer ApplicationSetupManufacturer SourceApplicatorManufacturer".split(),
    )
)
_LONG_CODE = 7  # characters
_MODEL = re.compile("[a-z]{0,2}[0-9]{1,3}[a-z]{0,2}")  # of a maker: `e95`, `7g`
_LONGEST_REMEMBERED, _SIZE_REMEMBERED, _MOST_REMEMBERED = 1 << 14, 1 << 8, 16 << 20  # bytes: value, entry, all
_PRINTABLE = bytes(range(32, 127)) + b"\0\t\r\n\f\x1b"
_DELIMITERS = {"PN": {*"\\^="}, "LT": {*"\r\n\t\f"}, "ST": {*"\r\n\t\f"}, "UT": {*"\r\n\t\f"}}


@dataclass(frozen=True)
class Hit:
    """kind: name, identifier, contact, date or uid. place: where, never what: `(0008,1110)[0].(0008,1155)`,
    `file meta (0002,0016)`, `preamble`, `after the data set`."""

    kind: str
    place: str


def find_residuals(encoded: bytes, identifiers: Identifiers, kept_tags: frozenset[int] = frozenset()) -> list[Hit]:
    """encoded: a whole file. kept_tags: elements, at any depth, whose values the profile keeps or writes: no hit there,
    nor at the file meta element that repeats them. The value of Pixel Data is not searched."""
    return find_in_pieces(pieces_of(encoded), identifiers, kept_tags)


def find_in_pieces(pieces: Iterable[Piece], identifiers: Identifiers, kept_tags: frozenset[int]) -> list[Hit]:
    """As find_residuals, for a file that was taken apart before."""
    return Search(identifiers, kept_tags).in_pieces(pieces)


class Search:
    """Of one patient's identifiers in many files: as find_residuals finds them. What is in a value depends on nothing
    but the value, how it is encoded and its tag, so those that had nothing are not searched again: files of a series
    share most of their values."""

    def __init__(self, identifiers: Identifiers, kept_tags: frozenset[int]) -> None:
        self._identifiers, self._kept_tags = identifiers, kept_tags
        self._clean: set[tuple] = set()
        self._clean_bytes = 0

    def in_pieces(self, pieces: Iterable[Piece]) -> list[Hit]:
        pieces = [
            piece for piece in pieces if piece.value and piece[:4] not in self._clean and self._is_searched(piece)
        ]
        if not _suspicious(pieces, self._identifiers):
            self._remember(pieces)
            return []
        hits = {Hit(kind, piece.place) for piece in pieces for kind in _kinds_at(piece, self._identifiers)}
        return sorted(hits, key=lambda hit: (hit.place, hit.kind))

    def _is_searched(self, piece: Piece) -> bool:
        tag = _META_COPIES.get(piece.tag, piece.tag) if piece.zone else piece.tag
        return tag not in self._kept_tags and not _is_safe_creator(piece)

    def _remember(self, pieces: Iterable[Piece]) -> None:
        if self._clean_bytes > _MOST_REMEMBERED:
            self._clean.clear()
            self._clean_bytes = 0
        for piece in pieces:
            if len(piece.value) <= _LONGEST_REMEMBERED:
                self._clean.add(piece[:4])
                self._clean_bytes += _SIZE_REMEMBERED + len(piece.value)


def _is_safe_creator(piece: Piece) -> bool:
    """Private Creator elements (gggg,0010-00FF) say which maker's elements follow (PS3.5 section 7.8.1)."""
    is_creator = piece.tag >> 16 & 1 and 0x10 <= piece.tag & 0xFFFF <= 0xFF
    return bool(is_creator) and piece.value.strip(b" \0") in safe_creators()


def find_in_text(text: str, identifiers: Identifiers) -> list[str]:
    """Kinds of what is found in a text, such as a file name."""
    return sorted(_kinds_in(text, folded(text), identifiers))


def words_of(piece: Piece) -> set[str]:
    """Of a text, folded, by its character set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return set(folded(decode_bytes(piece.value, list(piece.codecs), _DELIMITERS.get(piece.vr, {"\\"}))).split())


def _suspicious(pieces: Iterable[Piece], identifiers: Identifiers) -> bool:
    """False where no piece can have a hit; quick, for the common case."""
    joined = b"\n".join(piece.value for piece in pieces)
    texts = [joined.decode("latin-1")]
    texts += [text for piece in pieces for text in _readings(piece)]
    plain = "\n".join(texts)
    words = folded_bytes(joined) + folded("\n".join(texts[1:]))
    if _kinds_in(plain, words, identifiers) or any(raw in joined for raw in identifiers.encoded):
        return True
    return bool(identifiers.whole_values) and any(_is_short_id(piece, identifiers) for piece in pieces)


def _kinds_at(piece: Piece, identifiers: Identifiers) -> set[str]:
    latin = piece.value.decode("latin-1")
    others = _readings(piece)
    plain = "\n".join([latin, *others])
    words = folded_bytes(piece.value) + "".join(folded(text) for text in others)
    kinds = _kinds_in(plain, words, identifiers, piece)
    kinds |= {kind for raw, kind in identifiers.encoded.items() if raw in piece.value}
    if _is_short_id(piece, identifiers):
        kinds.add("identifier")
    return kinds


def _readings(piece: Piece) -> list[str]:
    """What the bytes say beyond ASCII: in the data set's character set, in UTF-8, and in UTF-16 (its ASCII part); and
    what a text says that is encoded as another text."""
    value = piece.value
    texts = list(hidden_texts(value)) if piece.vr in _MAY_HIDE_TEXT and _is_text(value) else []
    if b"\0" in value.strip(b"\0 ") and (piece.vr in _TEXT_VRS or piece.vr in ("OB", "OW", "UN", "")):
        texts.append(value.replace(b"\0", b"").decode("latin-1"))
    if value.isascii() and b"\x1b" not in value:
        return texts
    if piece.vr in _TEXT_VRS:
        with warnings.catch_warnings(), contextlib.suppress(LookupError, ValueError):  # the bytes are searched as well
            warnings.simplefilter("ignore")
            texts.append(decode_bytes(value, list(piece.codecs), _DELIMITERS.get(piece.vr, {"\\"})))
    if piece.vr in _TEXT_VRS or _is_text(value):
        texts.append(value.decode("utf-8", "replace"))
        texts.append(value.decode("latin-1"))
    return texts


def _kinds_in(plain: str, words: str, identifiers: Identifiers, piece: Piece | None = None) -> set[str]:
    """piece: where plain is the value of one; then what is likely by chance in its VR does not count."""
    kinds = {identifiers.words[word] for word in identifiers.words.keys() & set(words.split()) if _counts(word, piece)}
    several = {phrase: kind for phrase, kind in identifiers.phrases.items() if f" {phrase} " in words}
    if several and not _may_hold_digits(piece):
        several = {phrase: kind for phrase, kind in several.items() if not phrase.replace(" ", "").isdigit()}
    several |= {part: kind for part, kind in identifiers.inner.items() if part in words}
    kinds |= {kind for term, kind in several.items() if not _is_usual(term, piece, kind)}
    numbers = {n for n in identifiers.numbers.intersection(_NUMBER.findall(plain)) if not _is_usual(n, piece)}
    if piece is not None and piece.vr in _NUMERIC_TEXT_VRS:
        whole_values = {value.strip(" +\0") for value in plain.split("\\")}
        least = {number: _WHOLE_NUMBER if number in whole_values else _LONG_NUMBER for number in numbers}
        numbers = {number for number in numbers if len(number) >= least[number]}
    if numbers:
        kinds.add("identifier")
    if identifiers.uids and not identifiers.uids.isdisjoint(uids_in(plain)):
        kinds.add("uid")
    if identifiers.dates and _own_date(plain, identifiers, piece):
        kinds.add("date")
    return kinds


def _may_hold_digits(piece: Piece | None) -> bool:
    """As several numbers beside each other that are an ID; among coordinates, times and UIDs they are chance."""
    if piece is None or piece.vr not in _NUMERIC_TEXT_VRS | _CODED_VRS | {"UI"}:
        return True
    return piece.vr in _CODED_VRS and _is_text(piece.value)


def _own_date(plain: str, identifiers: Identifiers, piece: Piece | None) -> bool:
    if piece is not None and piece.tag in _VERSIONS:
        return not identifiers.births.isdisjoint(dates_in(plain))
    short_years = {(year % 100, month, day) for year, month, day in identifiers.dates}
    return any(date in identifiers.dates or (date[0] < 100 and date in short_years) for date in dates_in(plain))


def _counts(word: str, piece: Piece | None) -> bool:
    """A short word in a value that is no text is chance: some 10 kB of random bytes hold one of any hundred."""
    if piece is None or _is_usual(word, piece):
        return piece is None
    return len(word) > 6 or piece.vr in _TEXT_VRS or _is_text(piece.value)


def _is_usual(term: str, piece: Piece | None, kind: str = "") -> bool:
    """Whether it is what the element is there to say: a short code, a version, a maker with its product's name, an
    eponym beside a word that makes it one."""
    tag = 0 if piece is None else piece.tag
    if piece is not None and tag == _CODE_MEANING:
        return not names().get(term, frozenset()).isdisjoint(folded_bytes(piece.value).split())
    is_code = term.isdigit() if tag in _MAKES - _VERSIONS else any(map(str.isdigit, term))
    if tag in _CODES | _MAKES and is_code and len(term.replace(" ", "")) < _LONG_CODE:
        return True
    words = term.split() if tag in _MAKES else []
    others = [word for word in words if word not in makers()]
    is_named = len(others) < len(words) or (kind == "contact" and bool(words))
    return is_named and all(word in vocabulary() or _MODEL.fullmatch(word) for word in others)


def _is_text(value: bytes) -> bool:
    """Three quarters of it are printable ASCII, or zeros as in UTF-16."""
    return len(value.translate(None, _PRINTABLE)) * 4 <= len(value)


def _is_short_id(piece: Piece, identifiers: Identifiers) -> bool:
    whole = folded(piece.value.decode("latin-1")).strip() if piece.vr in _VALUES_OF_TEXT else ""
    if whole not in identifiers.whole_values or piece.tag in _CODES | _MAKES:
        return False
    is_harmless = len(whole) < _LONG_CODE if whole.isdigit() else whole in ordinary_words()
    return piece.tag not in _WORDINGS or not is_harmless
