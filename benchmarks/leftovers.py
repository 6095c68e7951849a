"""What a tool leaves behind: the identifiers that the corpora plant, looked for in its output. Never timed.

`python -m benchmarks.leftovers INPUT OUTPUT` prints the findings as JSON.
"""

import hashlib
import json
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread

from benchmarks.gen_corpus import PATIENTS, ROOT

PIXEL_DATA = 0x7FE00010
PLANTED = {
    "patient names": "Hollenbeck Margaret Müller Jörg Yamada 山田 太郎 やまだ".split(),
    "staff names": "Okafor Lindqvist Grant^Evelyn Reader^Rita Tech^Tom".split(),
    "identifiers": [who["PatientID"] for who in PATIENTS] + ["ADM555123", "STMARY", "PPS1", "SPS9"],
    "addresses": [
        "Elm Court",
        "Hauptstra",
        "千代田区",
        "St. Mary Reg",
        "1200 Main",
        "Radiology East",
        "Clinic Road",
        "Ward 7B",
    ],
    "telephones": ["555-01"],
    "free text": ["follow-up", "Chronic cough", "Thorax 1.0 B70f", "pls call ward", "Reviewed with"],
    "device": ["CTAWP73051"],
    "dates": [who["PatientBirthDate"] for who in PATIENTS] + ["20230615", "20230110", "20230417", "20230723"],
}


def pattern(kind: str, needles: list[str]) -> re.Pattern[bytes]:
    """Any of the needles in either encoding of the corpora; a date not where it may be digits inside a UID."""
    encoded = {needle.encode(charset, "ignore") for needle in needles for charset in ("utf-8", "latin-1")}
    either = b"|".join(re.escape(needle) for needle in sorted(encoded) if len(needle) > 3)
    return re.compile(rb"(?<![\d.])(?:" + either + rb")" if kind == "dates" else either)


PATTERNS = {kind: pattern(kind, needles) for kind, needles in PLANTED.items()}
PATTERNS["accession numbers"] = re.compile(rb"ACC\d\d77120|S\d\d4711")
PATTERNS["UIDs"] = re.compile(re.escape(ROOT.encode()) + rb"\.[1-9]")  # .0.1 is the implementation that wrote the input


@dataclass
class Findings:
    """What the output of one tool on one corpus holds.

    instances: files written; unreadable: those of them that pydicom cannot read.
    kinds: kind of identifier -> instances that hold any of it outside the pixel data.
    private_elements: in all instances together, nested ones included.
    other_pixels: instances whose pixel data is that of no instance of the input.
    """

    instances: int = 0
    unreadable: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    private_elements: int = 0
    other_pixels: int = 0


def split(file: Path) -> tuple[Dataset, bytes, bytes]:
    """The data set, its encoded value of Pixel Data, and all other bytes of the file."""
    encoded = file.read_bytes()
    ds = dcmread(file, force=True)
    pixels = ds.get_item(PIXEL_DATA)
    start, value = pixels.value_tell, bytes(pixels.value)
    return ds, value, encoded[:start] + encoded[start + len(value) :]


def count_private(ds: Dataset) -> int:
    """Private elements, creators included, at any depth."""
    count = 0
    for tag in ds.keys():  # noqa: SIM118 - iterating over the data set itself would decode every value
        if tag.is_private:
            count += 1
        elif ds[tag].VR == "SQ":
            count += sum(map(count_private, ds[tag].value))
    return count


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def look(source: Path, target: Path) -> Findings:
    """Search every instance of target, the output that a tool made of source."""
    pixels = {hashlib.sha256(split(file)[1]).digest() for file in files_of(source)}
    findings = Findings()
    for file in files_of(target):
        findings.instances += 1
        try:
            ds, value, rest = split(file)
            findings.private_elements += count_private(ds)
        except Exception:  # whatever pydicom raises on it is the finding
            findings.unreadable += 1
            continue
        findings.kinds.update(kind for kind, planted in PATTERNS.items() if planted.search(rest))
        findings.other_pixels += hashlib.sha256(value).digest() not in pixels
    return findings


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # a value that does not fit its VR is not what is asked here
    json.dump(vars(look(*map(Path, sys.argv[1:]))), sys.stdout)
