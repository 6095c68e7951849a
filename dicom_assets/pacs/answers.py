"""Values out of a C-FIND answer. Anything may be absent, padded, or in a character set that it does not declare."""

import re
import warnings

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

_PADDING = " \0\t\r\n"


def text(answer: Dataset, keyword: str, character_set: str = "ISO_IR 100") -> str | None:
    """The value without its padding, several values joined by a backslash; None where the element is absent.

    character_set: Defined Terms, joined by a backslash, for an answer that declares none. Never raises: bytes that the
    character set cannot read come out as replacement characters.
    """
    element = answer.get_item(tag_for_keyword(keyword))
    if element is None:
        return None
    value = element.value
    if isinstance(element, RawDataElement) or isinstance(value, bytes):
        value = value or b""
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii").strip(_PADDING)
        return _decode(value, _encodings(answer, character_set)).strip(_PADDING)
    values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return "\\".join("" if v is None else str(v).strip(_PADDING) for v in values).strip(_PADDING)


def texts(answer: Dataset, keyword: str) -> tuple[str, ...]:
    """The single values, in order, without empty ones."""
    values = (value.strip(_PADDING) for value in (text(answer, keyword) or "").split("\\"))
    return tuple(value for value in values if value)


def codes(answer: Dataset, keyword: str) -> tuple[str, ...]:
    """The single values of a CS element in capitals; some archives join them by a slash or a comma."""
    return tuple(re.findall(r"[^\\/,;\s\0]+", (text(answer, keyword) or "").upper()))


def number(answer: Dataset, keyword: str) -> int | None:
    """None where the element is absent or holds no number of zero or more."""
    value = text(answer, keyword) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 12 else None


def digits(value: str) -> str:
    """A date or time without the punctuation that older archives write: `1997.04.24` is `19970424`."""
    return value.replace(".", "").replace("-", "").replace(":", "")


def _encodings(answer: Dataset, undeclared: str) -> list[str]:
    element = answer.get_item(tag_for_keyword("SpecificCharacterSet"))
    declared = None if element is None else element.value
    if isinstance(declared, bytes):
        declared = declared.decode("ascii", "replace").strip(_PADDING)
    names = (declared or undeclared).split("\\") if isinstance(declared, str | None) else map(str, declared)
    # pydicom warns where it does not know a name, or repairs it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return convert_encodings([name.strip(_PADDING) for name in names])
        except (LookupError, ValueError):
            return ["iso8859"]


def _decode(value: bytes, encodings: list[str]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return decode_bytes(value, encodings, {"\r", "\n", "\t", "\f", "^", "=", "\\"})
        except (LookupError, ValueError):
            return value.decode("utf-8", "replace")
