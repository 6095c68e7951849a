"""The names in a release pack, its list of digests, and how its tables are written and read.

README.txt  statement.md  statement.json   what this is, and what was done to it
images/<patient>/<study>/<series>/<instance>.dcm
manifest.csv  dictionary.csv               each image, each element that occurs in them
rejected.csv  quarantine.csv               what was asked for and is not here
reports/<batch>.html .json .parquet        the proof of each batch
SHA256SUMS                                 every other file; its own SHA-256 is the digest of the pack
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import BadInput
from .working_folder import UNFINISHED

SUMS, STATEMENT, MANIFEST, README = "SHA256SUMS", "statement.json", "manifest.csv", "README.txt"
STATEMENT_TEXT, DICTIONARY, REJECTED, QUARANTINE = "statement.md", "dictionary.csv", "rejected.csv", "quarantine.csv"
IMAGES, REPORTS = "images", "reports"
REPORT_SUFFIXES = ("html", "json", "parquet")

#: Table -> its columns and what each holds
COLUMNS: dict[str, dict[str, str]] = {
    MANIFEST: {
        "path": "the image, below the folder of the pack",
        "sha256": "SHA-256 of the file, hexadecimal",
        "bytes": "size of the file",
        "patient": "pseudonym of the patient; the same in every batch of the project",
        "study_instance_uid": "new Study Instance UID",
        "series_instance_uid": "new Series Instance UID",
        "sop_instance_uid": "new SOP Instance UID",
        "modality": "Modality (0008,0060)",
        "sop_class_uid": "SOP Class UID (0008,0016)",
        "sop_class": "its name in PS3.6",
        "batch": "batches that released the image, separated by blanks",
    },
    REJECTED: {
        "batch": "batch that asked for the study",
        "study_key": "pseudonym of the study that was asked for",
        "state": "not found, failed, incomplete (instances are missing) or withheld (instances failed the proof)",
        "reason": "code of the reason",
        "instances": "how many are not here for this reason, beside those in quarantine.csv; empty where not known",
        "sentence": "the reason in words",
    },
    QUARANTINE: {
        "batch": "batch that asked for the study",
        "study_key": "pseudonym of the study",
        "reason": "code of the reason",
        "instances": "how many were kept back for this reason",
        "sentence": "the reason in words",
    },
    DICTIONARY: {
        "file": "images, or the table whose column this row explains",
        "tag": "(group,element) of the element; xx in a private one stands for its block",
        "name": "keyword of the element, creator of a private one, or name of the column",
        "vr": "value representation",
        "instances": "in how many images the element occurs, at any depth",
        "action": "what the profile does with it: PS3.15 D Z X K C U; several: by the element's Type",
        "explanation": "the rule behind the action, or what the column holds",
    },
}


def to_csv(name: str, rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8, lines end in LF; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS[name])
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def read_csv(pack: Path, name: str) -> list[tuple[str, ...]]:
    """The rows, all as text. Raises BadInput("PACK_TABLE_UNREADABLE")."""
    try:
        rows = [tuple(row) for row in csv.reader(io.StringIO((pack / name).read_text("utf-8"), newline=""))]
    except (OSError, ValueError, csv.Error):
        raise BadInput("PACK_TABLE_UNREADABLE") from None
    columns = tuple(COLUMNS[name])
    if not rows or rows[0] != columns or any(len(row) != len(columns) for row in rows):
        raise BadInput("PACK_TABLE_UNREADABLE")
    return rows[1:]


def to_sums(digests: Mapping[str, str]) -> bytes:
    """As sha256sum writes and reads it. digests: path below the pack -> hex SHA-256."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode("utf-8")


def read_sums(pack: Path) -> dict[str, str]:
    """Path -> digest. Raises BadInput("PACK_TABLE_UNREADABLE")."""
    try:
        lines = [line.split("  ", 1) for line in (pack / SUMS).read_text("utf-8").splitlines()]
        sums = {name: digest for digest, name in lines}
    except (OSError, ValueError):
        raise BadInput("PACK_TABLE_UNREADABLE") from None
    if len(sums) != len(lines):
        raise BadInput("PACK_TABLE_UNREADABLE")
    return sums


def is_pack(folder: Path) -> bool:
    """Whether folder says that it is a pack, or is what is left of one."""
    return any((folder / name).exists() for name in (SUMS, STATEMENT, MANIFEST))


def files_below(folder: Path) -> Iterator[tuple[str, os.DirEntry]]:
    """(path below folder with `/`, entry) of all that is no folder; links are entries and never followed, and a run's
    unfinished folder is one entry."""
    pending = [("", folder)]
    while pending:
        prefix, place = pending.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and entry.name != UNFINISHED:
                    pending.append((f"{prefix}{entry.name}/", Path(entry.path)))
                else:
                    yield f"{prefix}{entry.name}", entry
