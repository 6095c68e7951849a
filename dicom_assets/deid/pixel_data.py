"""How many bytes native pixel data must have: its geometry, PS3.3 C.7.6.3 and PS3.5 section 8.1.1."""

from collections.abc import Mapping

from ..errors import BadInput
from .elements import OTHER_PIXELS

_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_SAMPLES, _BITS, _PHOTOMETRIC = 0x00280002, 0x00280100, 0x00280004


def native_bytes(values: Mapping[int, bytes], tag: int, length: int) -> int:
    """Bytes of the pixel data element `tag` that the geometry asks for, padded to even. values: the top level's, as
    encoded in Little Endian. length: what there is, which tells whether YBR 4:2:2 was stored in full. Raises BadInput.
    """
    bits = OTHER_PIXELS.get(tag) or _number(values, _BITS, 0)
    samples = _number(values, _SAMPLES, 1) or 1
    pixels = _number(values, _ROWS, 0) * _number(values, _COLUMNS, 0) * _frames(values)
    if not pixels or not bits:
        raise BadInput("PIXEL_GEOMETRY_MISSING")
    halved = values.get(_PHOTOMETRIC, b"").strip(b" \0") in (b"YBR_FULL_422", b"YBR_PARTIAL_422")
    if halved and length * 8 < pixels * samples * bits:
        samples = 2
    size = (pixels * samples * bits + 7) // 8
    return size + size % 2


def _number(values: Mapping[int, bytes], tag: int, default: int) -> int:
    return int.from_bytes(values[tag][:2], "little") if len(values.get(tag, b"")) >= 2 else default


def _frames(values: Mapping[int, bytes]) -> int:
    text = values.get(_FRAMES, b"").strip(b" \0")
    if not text:
        return 1
    if not text.isdigit() or len(text) > 10:
        raise BadInput("PIXEL_GEOMETRY_MISSING")
    return int(text) or 1
