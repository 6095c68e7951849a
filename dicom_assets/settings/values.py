"""One variable's text as a value. Each raises BadInput with a code where it cannot be used."""

import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import BadInput


def host(text: str) -> str:
    text = text.strip()
    if not text.isprintable() or re.search(r"[\s/\\@]", text):
        raise BadInput("SETTING_HOST")
    return text


def port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise BadInput("SETTING_PORT")
    return int(text)


def ae_title(text: str) -> str:
    if len(text) > 16 or not text.isascii() or not text.isprintable() or "\\" in text:
        raise BadInput("SETTING_AE_TITLE")
    return text.strip()


def url(text: str) -> str:
    """Without a slash at the end. A password does not belong into it."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
        usable = usable and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        usable = False
    if text and (not usable or not text.isprintable() or " " in text):
        raise BadInput("SETTING_DICOMWEB_URL")
    return text.rstrip("/")


def path(text: str) -> Path | None:
    return Path(text).absolute() if text else None


def command(text: str, code: str) -> tuple[str, ...]:
    """A program and its arguments, quoted as for a shell; none is started. Empty where text is."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise BadInput(code) from None


def switch(text: str) -> bool:
    return one_of(text, ("true", "false"), "SETTING_SWITCH") == "true"


def one_of(text: str, allowed: tuple[str, ...] | set[str], code: str) -> str:
    if text not in allowed:
        raise BadInput(code)
    return text


def quantity(text: str, code: str, is_allowed: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadInput(code) from None
    if not math.isfinite(value) or not is_allowed(value):
        raise BadInput(code)
    return value


def whole_number(text: str, code: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadInput(code)
    return int(text)
