"""What a header says of pixels that were cleaned: PS3.15 E.3.1 (Clean Pixel Data), PS3.3 C.7.6.3 and C.12.1."""

from ..deid.elements import Element, element_at, elements, encode, encode_sequence, items
from .layout import Layout
from .splice import Change, OwnFile

_METHODS, _CODE_VALUE, _SCHEME, _MEANING = 0x00120064, 0x00080100, 0x00080102, 0x00080104
_BURNED_IN, _ICON = 0x00280301, 0x00880200
#: Smallest and Largest Pixel Value of image, series and plane: nobody knows them where pixels were changed
_EXTREMES = range(0x00280106, 0x00280112)
_PHOTOMETRIC, _PLANAR, _HIGH_BIT = 0x00280004, 0x00280006, 0x00280102
_OFFSETS = (0x7FE00001, 0x7FE00002, 0x7FE00003)  #: tables of encapsulated frames, and the length of all
_BASIC_PROFILE, _CLEAN_PIXEL_DATA = (b"113100", b"DCM"), (b"113101", b"DCM")


def of_cleaned(file: OwnFile, changed: bool) -> dict[int, Change]:
    """The elements that cleaning changes, see OwnFile.write. changed: pixels were blanked, not only looked at."""
    changes: dict[int, Change] = {_BURNED_IN: encode(_BURNED_IN, "CS", b"NO")}
    changes |= {tag: None for tag in (_ICON, *(_EXTREMES if changed else ())) if tag in file.elements}
    if methods := _with_clean_pixel_data(file.encoded(_METHODS)):
        changes[_METHODS] = methods
    return changes


def of_decoded(file: OwnFile, layout: Layout) -> dict[int, Change]:
    """The elements that say otherwise where encapsulated pixels are written as native ones. layout: of these."""
    changes: dict[int, Change] = {tag: None for tag in _OFFSETS if tag in file.elements}
    changes |= photometric_of(layout.photometric)
    changes[_HIGH_BIT] = encode(_HIGH_BIT, "US", layout.high.to_bytes(2, "little"))
    if layout.samples > 1:
        changes[_PLANAR] = encode(_PLANAR, "US", b"\0\0")
    return changes


def photometric_of(name: str) -> dict[int, Change]:
    return {_PHOTOMETRIC: encode(_PHOTOMETRIC, "CS", name.encode())}


def _with_clean_pixel_data(sequence: bytes) -> bytes:
    """The De-identification Method Code Sequence with 113101 where its number belongs; empty where it is there already,
    or where the sequence does not begin as the standard's profile does."""
    if not sequence:
        return b""
    extents = items(sequence, element_at(sequence, 0, len(sequence), implicit=False), implicit=False)
    methods = [sequence[start:stop] for start, stop in extents]
    codes = [_code(method) for method in methods]
    if codes[:1] != [_BASIC_PROFILE] or _CLEAN_PIXEL_DATA in codes:
        return b""
    at = next((at for at, code in enumerate(codes) if code[1] != b"DCM" or code > _CLEAN_PIXEL_DATA), len(codes))
    own = encode(_CODE_VALUE, "SH", _CLEAN_PIXEL_DATA[0]) + encode(_SCHEME, "SH", _CLEAN_PIXEL_DATA[1])
    own += encode(_MEANING, "LO", b"Clean Pixel Data Option")
    return encode_sequence(_METHODS, [*methods[:at], own, *methods[at:]])


def _code(item: bytes) -> tuple[bytes, bytes]:
    """Code Value and Coding Scheme Designator."""
    found = {element.tag: element for element in elements(item, 0, len(item), implicit=False)}
    return _text(item, found.get(_CODE_VALUE)), _text(item, found.get(_SCHEME))


def _text(item: bytes, element: Element | None) -> bytes:
    return item[element.value : element.value_stop].strip(b" \0") if element else b""
