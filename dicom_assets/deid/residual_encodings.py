"""What a text says beneath an encoding that turns text into other text: base64, hexadecimal, escapes of URLs, HTML,
JSON and mail, letters set apart. For the search of residual.py; pure, and nothing is decoded twice."""

import base64
import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

#: Six bytes and more; what decodes to anything but text was none
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_HEXADECIMAL = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :-]?){4,}")
_ESCAPED = re.compile(rb"%[0-9A-Fa-f]{2}|&#?[A-Za-z0-9]{2,8};|\\[ux][0-9A-Fa-f]{2}|=[0-9A-F]{2}")
_JSON, _MAIL = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))"), re.compile(r"=([0-9A-F]{2})|=\r?\n")
_SET_APART = re.compile(rb"(?<![A-Za-z])(?:[A-Za-z][ .]){3,}[A-Za-z](?![A-Za-z])")
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


def hidden_texts(value: bytes) -> Iterator[str]:
    """value: text in any character set that has ASCII in it."""
    for run in _BASE64.findall(value):
        yield from _if_text(_from_base64(run))
    for run in _HEXADECIMAL.findall(value):
        yield from _if_text(bytes.fromhex(re.sub(rb"[ :-]", b"", run).decode("ascii")))
    if _ESCAPED.search(value):
        yield _unescaped(value.decode("latin-1"))
    for run in _SET_APART.findall(value):
        yield run.translate(None, b" .").decode("ascii")


def _from_base64(run: bytes) -> bytes:
    whole = run[: len(run) - (len(run) % 4 == 1)].translate(_STANDARD_ALPHABET)
    try:
        return base64.b64decode(whole + b"=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _if_text(decoded: bytes) -> Iterator[str]:
    """As UTF-8, or UTF-16 (its ASCII part), where all of it is printable."""
    if decoded.count(b"\0") * 2 >= len(decoded):
        decoded = decoded.replace(b"\0", b"")
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        return
    if text.strip() and all(character.isprintable() or character.isspace() for character in text):
        yield text


def _unescaped(text: str) -> str:
    """All escapes at once: what is escaped in one way is no escape in another."""
    text = _JSON.sub(lambda match: chr(int(match[1] or match[2], 16)), html.unescape(unquote(text)))
    return _MAIL.sub(lambda match: chr(int(match[1], 16)) if match[1] else "", text)
