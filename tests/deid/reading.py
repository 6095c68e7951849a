"""What the reference reads through pydicom: data sets whose elements stay as they were encoded, and questions to them.

A value is never decoded here: what pydicom makes of a number or a name is not what the file says of it.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.values import convert_SQ

from dicom_assets.deid import values

#: pydicom decodes these two itself, while it reads
_CHARACTER_SET, _TRANSFER_SYNTAX = 0x00080005, 0x00020010
_LONGEST_UID = 64
_NUMBER_BYTES = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4,
    "FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}  # fmt: skip


class NotReleased(Exception):
    """The reference cannot release this; the message is a word for the reason."""


class NotRead(NotReleased):
    """pydicom cannot make sense of it: nobody can say what were right."""


def read(encoded: bytes) -> Dataset:
    """Without preamble and file meta too, where the content begins as a data set does. Raises NotRead."""
    with quiet():
        try:
            dataset = pydicom.dcmread(io.BytesIO(encoded), force=True)
        except Exception as error:
            raise NotRead(type(error).__name__) from error
    if not getattr(dataset, "file_meta", None):
        dataset.ensure_file_meta()
    uids = [value_of(dataset.file_meta, int(tag)) for tag, one in dataset.file_meta.items() if one.VR == "UI"]
    if any(len(uid) > _LONGEST_UID + 2 for uid in uids):
        raise NotRead("file meta has swallowed the data set")
    return dataset


def syntax_of(dataset: Dataset) -> UID:
    """As file meta has it; by the encoding of the data set where it has none."""
    if stated := value_of(dataset.file_meta, _TRANSFER_SYNTAX).strip(b" \0").decode("latin-1"):
        if not UID(stated).is_transfer_syntax:
            raise NotRead("no such transfer syntax")
        return UID(stated)
    if _TRANSFER_SYNTAX in dataset.file_meta:
        raise NotRead("empty transfer syntax")
    implicit, little_endian = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom warns of damage, and damage is what these tests are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def raw_element(source: Dataset, tag: int) -> DataElement | RawDataElement | None:
    """As it was read, where get_item would decode what is empty."""
    return dict(source.items()).get(tag)


def value_of(source: Dataset, tag: int, vr: str = "") -> bytes:
    """The value's bytes, in little endian if vr says which numbers they are. Empty where absent, and for sequences."""
    raw = raw_element(source, tag)
    value = raw.value if raw is not None else None
    if tag in (_CHARACTER_SET, _TRANSFER_SYNTAX) and value is not None and not isinstance(value, bytes):
        return "\\".join([value] if isinstance(value, str) else map(str, value)).encode("latin-1", "replace")
    if not isinstance(value, bytes):
        return b""
    size = _NUMBER_BYTES.get(vr, 1)
    if source.original_encoding[1] or size == 1:
        return value
    whole = len(value) // size * size
    return np.frombuffer(value[:whole], dtype=f">u{size}").astype(f"<u{size}").tobytes() + value[whole:]


def vr_in(source: Dataset, tag: int, known: str) -> str:
    """The VR that the file states; the dictionary's where it states none (implicit, UN)."""
    stated = raw_element(source, tag).VR
    if stated in (None, "UN") or " or " in stated:
        return _choice(source, tag, known.split(" or "))
    return stated


def _choice(source: Dataset, tag: int, choices: list[str]) -> str:
    """US or SS by Pixel Representation here or above; bytes or words by the bits of a sample: PS3.5 Annex A."""
    if choices[:2] == ["US", "SS"]:
        while _PIXEL_REPRESENTATION not in source and getattr(source, "parent_seq", None) is not None:
            source = source.parent_seq.parent_dataset
        signed = value_of(source, _PIXEL_REPRESENTATION, "US") == b"\1\0"
        return "SS" if signed else "US"
    return "OW" if "OW" in choices else choices[0]


_PIXEL_REPRESENTATION = 0x00280103


def items_of(source: Dataset, tag: int) -> Sequence:
    element = raw_element(source, tag)
    if not isinstance(element, RawDataElement):
        return element.value
    implicit = element.VR == "UN" or source.original_encoding[0]  # UN hides an implicit sequence: PS3.5 6.2.2 note 4
    little_endian = element.VR == "UN" or source.original_encoding[1]
    try:
        items = convert_SQ(element.value or b"", implicit, little_endian, source.original_character_set)
    except Exception as error:
        raise NotRead(type(error).__name__) from error
    items.parent_dataset = source
    for item in items:
        item.parent_seq = items
    return items


def element_of(tag: int, vr: str, value: bytes) -> RawDataElement:
    """Written byte for byte."""
    value += (b"\0" if vr in ("UI", "OB", "UN") or vr in _NUMBER_BYTES else b" ") * (len(value) % 2)
    return RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)


def charset_of(source: Dataset, inherited: bytes) -> bytes:
    """Specific Character Set of the data set itself, else that of the one above; empty where it is not known."""
    if _CHARACTER_SET not in source:
        return inherited
    return values.character_set(value_of(source, _CHARACTER_SET)) or b""


def concept_of(item: Dataset) -> tuple[str, str, str]:
    """Code value and scheme of the concept name, and the value type, of a content item."""

    def text(dataset: Dataset, tag: int) -> str:
        return value_of(dataset, tag).strip(b" \0").decode("latin-1")

    names = items_of(item, 0x0040A043) if 0x0040A043 in item else []
    name = names[0] if len(names) else Dataset()
    return text(name, 0x00080100), text(name, 0x00080102), text(item, 0x0040A040)
