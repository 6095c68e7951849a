"""Values out of a C-FIND answer. Anything may be absent, padded, or in a character set that it does not declare."""

import warnings

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

_PADDING = " \0\t\r\n"


def text(answer: Dataset, keyword: str) -> str | None:
    """The value without its padding, several values joined by a backslash; None where the element is absent.

    Never raises: bytes that the declared character set cannot read come out as replacement characters.
    """
    element = answer.get_item(tag_for_keyword(keyword))
    if element is None:
        return None
    value = element.value
    if isinstance(element, RawDataElement) or isinstance(value, bytes):
        return _decode(value or b"", _encodings(answer)).strip(_PADDING)
    values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return "\\".join("" if v is None else str(v).strip(_PADDING) for v in values).strip(_PADDING)


def texts(answer: Dataset, keyword: str) -> tuple[str, ...]:
    """The single values, in order, without empty ones."""
    values = (value.strip(_PADDING) for value in (text(answer, keyword) or "").split("\\"))
    return tuple(value for value in values if value)


def number(answer: Dataset, keyword: str) -> int | None:
    """None where the element is absent or holds no number of zero or more."""
    value = text(answer, keyword) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 12 else None


def digits(value: str) -> str:
    """A date or time without the punctuation that older archives write: `1997.04.24` is `19970424`."""
    return value.replace(".", "").replace("-", "").replace(":", "")


def _encodings(answer: Dataset) -> list[str]:
    element = answer.get_item(tag_for_keyword("SpecificCharacterSet"))
    value = None if element is None else element.value
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").strip(_PADDING).split("\\")
    names = [value] if isinstance(value, str) else [str(v) for v in value or [""]]
    # pydicom warns where it does not know a name, or repairs it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return convert_encodings([name.strip(_PADDING) for name in names])
        except (LookupError, ValueError):
            return ["iso8859"]


def _decode(value: bytes, encodings: list[str]) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return decode_bytes(value, encodings, {"\r", "\n", "\t", "\f", "^", "=", "\\"})
        except (LookupError, ValueError):
            return value.decode("utf-8", "replace")
