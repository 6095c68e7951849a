"""Values as the file encodes them: text by its character set, UIDs, and the geometry of pixel data."""

import contextlib
import re
import warnings

_ESCAPE = b"\x1b"
_SETS = frozenset(
    """ISO_IR_6 ISO_IR_13 ISO_IR_100 ISO_IR_101 ISO_IR_109 ISO_IR_110 ISO_IR_126 ISO_IR_127 ISO_IR_138 ISO_IR_144
    ISO_IR_148 ISO_IR_166 ISO_IR_192 ISO_IR_203 GB18030 GBK ISO_2022_IR_6 ISO_2022_IR_13 ISO_2022_IR_58 ISO_2022_IR_87
    ISO_2022_IR_100 ISO_2022_IR_101 ISO_2022_IR_109 ISO_2022_IR_110 ISO_2022_IR_126 ISO_2022_IR_127 ISO_2022_IR_138
    ISO_2022_IR_144 ISO_2022_IR_148 ISO_2022_IR_149 ISO_2022_IR_159 ISO_2022_IR_166 ISO_2022_IR_203""".split()
)
#: Sets without escape sequences, in Python's words; the others are pydicom's business
_CODECS = {
    b"ISO_IR 6": "ascii", b"ISO_IR 13": "shift_jis", b"ISO_IR 100": "latin-1", b"ISO_IR 101": "iso8859-2",
    b"ISO_IR 109": "iso8859-3", b"ISO_IR 110": "iso8859-4", b"ISO_IR 126": "iso8859-7", b"ISO_IR 127": "iso8859-6",
    b"ISO_IR 138": "iso8859-8", b"ISO_IR 144": "iso8859-5", b"ISO_IR 148": "iso8859-9", b"ISO_IR 166": "iso8859-11",
    b"ISO_IR 192": "utf-8", b"ISO_IR 203": "iso8859-15", b"GB18030": "gb18030", b"GBK": "gbk",
}  # fmt: skip
#: What others write, less everything but letters and digits -> the defined term of PS3.3 C.12.1.1.2
_SPELLINGS = {re.sub("[^A-Z0-9]", "", name): name for name in _SETS} | {
    "UTF8": "ISO_IR_192", "LATIN1": "ISO_IR_100", "ISO88591": "ISO_IR_100", "IR100": "ISO_IR_100",
    "ASCII": "ISO_IR_6", "USASCII": "ISO_IR_6", "ISO646": "ISO_IR_6",
}  # fmt: skip
_DELIMITERS = {"PN": {*"\\^="}, "LT": {*"\r\n\t\f"}, "ST": {*"\r\n\t\f"}, "UT": {*"\r\n\t\f"}}
_UID = re.compile(rb"[0-9][0-9.]{0,63}")


def character_set(value: bytes) -> bytes | None:
    """Specific Character Set in the standard's spelling; None where it names a set that is not known."""
    names = []
    for written in value.decode("latin-1").strip(" \0").split("\\"):
        name = _SPELLINGS.get(re.sub("[^A-Z0-9]", "", written.upper()), "") if written.strip() else ""
        if written.strip() and not name:
            return None
        names.append(_term(name))
    return "\\".join(names).encode()


def _term(name: str) -> str:
    return name.replace("ISO_2022_IR_", "ISO 2022 IR ").replace("ISO_IR_", "ISO_IR ")


def decoded(value: bytes, vr: str, charset: bytes | None) -> str | None:
    """charset: as character_set gives it; None where it is not known. None where the bytes are not of that set."""
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii")
    if not charset:
        return None
    if charset in _CODECS:
        with contextlib.suppress(UnicodeDecodeError):
            return None if _ESCAPE in value else value.decode(_CODECS[charset])
        return None
    from pydicom.charset import convert_encodings, decode_bytes

    with contextlib.suppress(LookupError, ValueError, UserWarning), warnings.catch_warnings():
        warnings.simplefilter("error")
        encodings = convert_encodings(charset.decode("ascii").split("\\"))
        return decode_bytes(value, encodings, _DELIMITERS.get(vr, {"\\"}))
    return None


def codecs(charset: bytes) -> tuple[str, ...]:
    """Python's names of its parts; empty where it is not known."""
    if charset in _CODECS or not charset:
        return (_CODECS[charset],) if charset else ()
    from pydicom.charset import convert_encodings

    with contextlib.suppress(LookupError, ValueError, UserWarning), warnings.catch_warnings():
        warnings.simplefilter("error")
        return tuple(convert_encodings(charset.decode("ascii").split("\\")))
    return ()


def encoded(text: str, charset: bytes | None) -> bytes:
    """Characters that the set does not have are left out."""
    if text.isascii():
        return text.encode("ascii")
    if charset in _CODECS:
        return text.encode(_CODECS[charset], "ignore")
    from pydicom.charset import convert_encodings, encode_string

    with contextlib.suppress(LookupError, ValueError, UserWarning), warnings.catch_warnings():
        warnings.simplefilter("error")
        encodings = convert_encodings((charset or b"").decode("ascii").split("\\"))
        return encode_string(text, encodings)
    return text.encode("ascii", "ignore")


def readings(value: bytes, vr: str, charset: bytes | None) -> list[str]:
    """All that the bytes may say, for a search: by the declared set, else by the usual ones."""
    text = decoded(value, vr, charset)
    if text is not None:
        return [text]
    texts = [value.decode("latin-1")]
    with contextlib.suppress(UnicodeDecodeError):
        texts.append(value.decode("utf-8"))
    return texts


def uids_in(value: bytes) -> list[str] | None:
    """The values of a UI element, empty ones included; None where one is no UID."""
    values = [one.strip(b" \0") for one in value.strip(b" \0").split(b"\\")]
    if not all(_UID.fullmatch(one) for one in values if one):
        return None
    return [one.decode("ascii") for one in values]


def is_uid(text: str) -> bool:
    return _UID.fullmatch(text.encode("utf-8", "replace")) is not None
