"""Looks for planted values in everything below a folder, in the encodings they could have got into."""

import re
from collections.abc import Iterable
from pathlib import Path

from dicom_assets.demo.corpus import Planted

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859_5", "iso2022_jp", "iso2022_kr", "unicode-escape")


def spellings(planted: Iterable[Planted]) -> dict[bytes, str]:
    """Bytes to look for -> kind. Values under six characters occur by chance and are left out."""
    wanted: dict[bytes, str] = {}
    for one in planted:
        if one.kind == "short" or len(one.value) < 6:
            continue
        forms = {one.value}
        if one.kind in ("name", "physician"):
            forms |= {one.value.replace("^", " ").strip()}
        for form in forms:
            for encoding in _ENCODINGS:
                try:
                    wanted[form.encode(encoding)] = one.kind
                except UnicodeEncodeError:
                    continue
    return {value: kind for value, kind in wanted.items() if len(value) >= 6}


def pattern_of(planted: Iterable[Planted]) -> re.Pattern[bytes]:
    """Dates and numbers only where they do not stand within a longer number."""
    parts = []
    for value in sorted(spellings(planted), key=len, reverse=True):
        bounded = value.replace(b".", b"").isdigit()
        parts.append((rb"(?<![\d.])" + re.escape(value) + rb"(?![\d.])") if bounded else re.escape(value))
    return re.compile(b"|".join(parts), re.IGNORECASE)


def hits_below(root: Path, pattern: re.Pattern[bytes]) -> list[str]:
    """`file: bytes found`, for files' contents and for their names."""
    found = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if pattern.search(name.encode()):
            found.append(f"name {name}")
        if path.is_file():
            found += [f"{name}: {match!r}" for match in {m.group() for m in pattern.finditer(path.read_bytes())}]
    return found
