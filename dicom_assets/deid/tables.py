"""Reads the standard's tables that lie in profiles/. A line that starts with # says where a table comes from."""

import csv
from functools import cache
from importlib.resources import files


@cache
def rows_of(name: str) -> tuple[dict[str, str], ...]:
    lines = (line for line in bytes_of(name).decode().splitlines() if not line.startswith("#"))
    return tuple(csv.DictReader(lines))


def bytes_of(name: str) -> bytes:
    return files("dicom_assets.deid").joinpath("profiles", name).read_bytes()


def lexicons() -> list[str]:
    """Names of the word lists that descriptors are cleaned with."""
    names = (one.name for one in files("dicom_assets.deid").joinpath("profiles").iterdir())
    return sorted(name for name in names if name.startswith("lexicon"))
