"""A site with a released cohort, and packs of it that are tampered with."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.pack import Pack, make_pack
from tests.support.pushing import job_at, run_stages
from tests.support.site import Site

COHORT = "Knees of Dr. Made Up"
#: A study that is asked for and that no archive has
ABSENT = "1.2.826.0.1.3680043.10.1337.404"


@dataclass(frozen=True)
class ReleasedSite:
    """batches: of COHORT. The first asks for a study, too, that the archive does not hold."""

    site: Site
    job: Job
    batches: tuple[str, str]

    def pack(self, out: Path, *batches: str, **options: object) -> Pack:
        """Of both batches where none is named."""
        return make_pack(self.job.zones, self.job.profile, batches or self.batches, out, workers=2, **options)


def released_cohort(folder: Path, corpus: Corpus, archive: EmbeddedArchive) -> ReleasedSite:
    """By the rules of `research`; a study of each kind. One is in both batches, and some are kept back."""
    site = Site(folder)
    site.keep_back_text("research")
    site.use(archive.port, "DEMO_ARCHIVE")
    job = job_at(site)
    of_each_kind = {study.modalities: study for study in corpus.studies}.values()
    rows = [RequestRow(study_instance_uid=study.study_instance_uid) for study in of_each_kind]
    half = len(rows) // 2
    absent = RequestRow(study_instance_uid=ABSENT)
    batches = tuple(
        create_request(job.zones, "cohort", "20260131", COHORT, asked).batch
        for asked in ([*rows[: half + 1], absent], rows[half:])
    )
    for batch in batches:
        run_stages(job, batch)
    return ReleasedSite(site, job, batches)


def list_again(pack: Path, *names: str) -> None:
    """Correct SHA256SUMS for these files, as whoever tampers would."""
    sums = dict(reversed(line.split("  ", 1)) for line in (pack / "SHA256SUMS").read_text().splitlines())
    for name in names:
        if (pack / name).is_file():
            sums[name] = hashlib.sha256((pack / name).read_bytes()).hexdigest()
        else:
            sums.pop(name, None)
    (pack / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))


def replaced(pack: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (pack / name).write_bytes(change((pack / name).read_bytes()))
