"""Whoever gets hold of both roots without the mapping key learns of no patient, but from DICOM instances themselves."""

import re
from collections.abc import Iterator
from pathlib import Path

from dicom_assets.demo.corpus import Corpus
from dicom_assets.storage.mapping import mapped_batches, read_parts
from dicom_assets.storage.sealing import is_sealed
from tests.support.packs import ABSENT, COHORT, ReleasedSite
from tests.support.search import pattern_of

#: Of what is planted in the instances; dates and descriptors may stand in a report for other reasons
_KINDS = ("name", "physician", "id", "accession", "address", "phone", "uid")
#: Columns of the mapping that identify
_ORIGINALS = (
    "Original Patient ID", "Original Study Instance UID", "Original Series Instance UID", "Original SOP Instance UID",
)  # fmt: skip


def files(site: ReleasedSite) -> Iterator[Path]:
    """All but DICOM instances."""
    for root in (site.job.zones.restricted, site.job.zones.released):
        yield from (path for path in root.rglob("*") if path.is_file() and path.suffix != ".dcm")


def test_no_string_of_the_mapping_is_found_under_either_root(released_site: ReleasedSite, corpus: Corpus) -> None:
    zones = released_site.job.zones
    strings = {COHORT}
    for _, part in read_parts(zones, mapped_batches(zones), why="a test"):
        strings |= {value for name in _ORIGINALS for value in part[name] if len(value) > 5}
        strings |= {uid for uids in part["uids"] for uid in re.findall(r'"([\d.]+)": "2\.25\.', uids)}
    strings |= {study.accession_number for study in corpus.studies} | {ABSENT}
    assert len(strings) > 50
    wanted = re.compile(b"|".join(re.escape(one) for text in strings for one in encoded(text)))
    planted = pattern_of([one for one in corpus.planted if one.kind in _KINDS])
    raw = b"".join(path.read_bytes() for path in (zones.restricted / "raw").rglob("*.dcm"))
    assert wanted.search(raw) and planted.search(raw), "what is looked for is there to be found"
    sealed = 0
    for path in files(released_site):
        content, name = path.read_bytes(), path.name.encode()
        assert not wanted.search(content) and not planted.search(content), path.name
        assert not wanted.search(name) and not planted.search(name)
        sealed += is_sealed(path)
    assert sealed > 10


def test_what_is_sealed_is_for_the_service_alone(released_site: ReleasedSite) -> None:
    zones = released_site.job.zones
    for path in zones.restricted.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path.relative_to(zones.restricted)


def encoded(text: str) -> set[bytes]:
    return {text.encode(), text.encode("utf-16-le")}
