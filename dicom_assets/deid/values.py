"""One element as the file holds it: its stated VR, its value for the check of its form, and how it is kept."""

import numpy as np
from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

from .reading import PIXEL_DATA

_SWAPPED_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_CHARACTER_SETS = frozenset(python_encoding)
_SPELLINGS = {"UTF8": "ISO_IR 192", "ISOIR192": "ISO_IR 192", "ISO_IR192": "ISO_IR 192", "LATIN1": "ISO_IR 100",
    "ISO_IR100": "ISO_IR 100", "ISOIR100": "ISO_IR 100", "ISO88591": "ISO_IR 100"}  # fmt: skip


def encoded_value(element: DataElement | RawDataElement) -> bytes:
    """The value as text or bytes, for the check of its form. Numbers that pydicom has decoded on its own account (it
    needs Pixel Representation to know other elements' VRs) have the form of their VR already, and come back empty."""
    value = element.value
    if value is None or isinstance(value, bytes):
        return value or b""
    values = [value] if isinstance(value, str | int | float) else list(value)
    if all(type(one) in (int, float) for one in values):
        return b""
    return "\\".join(str(one) for one in values).encode()


def vr_in(source: Dataset, tag: int, known: str) -> str:
    """The VR that the file states; the dictionary's where it states none (implicit, UN)."""
    stated = source.get_item(tag).VR
    if stated in (None, "UN") or " or " in stated:
        return known.split(" or ")[0]
    return stated


def kept(source: Dataset, tag: int) -> DataElement | RawDataElement:
    """The element as it is: its bytes where they are Explicit VR Little Endian already, its decoded value elsewhere."""
    raw = source.get_item(tag)
    implicit, little_endian = source.original_encoding
    if isinstance(raw, RawDataElement) and not implicit and little_endian and raw.VR not in (None, "UN"):
        return raw
    element = source[tag]
    size = _SWAPPED_BYTES.get(element.VR)
    if tag == PIXEL_DATA and source.get("BitsAllocated") == 32:
        size = 4
    if not little_endian and size and isinstance(element.value, bytes):
        swapped = np.frombuffer(element.value, dtype=f">u{size}").astype(f"<u{size}").tobytes()
        return DataElement(tag, element.VR, swapped)
    return element


def character_set(source: Dataset, tag: int) -> DataElement | None:
    """Specific Character Set in the standard's spelling; None where it names no set that is known."""
    value = source[tag].value
    names = [str(one or "").strip() for one in ([value] if isinstance(value, str) or value is None else value)]
    names = [_SPELLINGS.get(name.upper().replace("-", "").replace(" ", ""), name) for name in names]
    return DataElement(tag, "CS", names) if all(name in _CHARACTER_SETS for name in names) else None
