"""Instances that are pushed to a site, without a network: through the same door, storage/incoming.py."""

from collections.abc import Callable, Iterable
from pathlib import Path

from dicom_assets.demo.corpus import Corpus
from dicom_assets.settings import Settings
from dicom_assets.storage.incoming import Incoming, Kept
from dicom_assets.storage.instance_header import identity_of, length_of_meta
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job, job_of
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.site import Site


def job_at(site: Site, **variables: str) -> Job:
    """As a run of this site has it."""
    settings = {**site.environment, **variables}
    return job_of(Settings.from_env({name: value for name, value in settings.items() if name.startswith("DICOM_")}))


def push(job: Job, files: Iterable[Path], change: Callable[[bytes], bytes] = lambda data: data) -> list[Kept]:
    """Each file's data set arrives, changed where that is asked for."""
    incoming = Incoming(job.zones.incoming, job.key.study_key, job.key.file_name, reserve=0)
    kept = []
    with incoming.opened():
        for path in files:
            content = path.read_bytes()
            identity = identity_of(path)
            arriving = incoming.begin(identity.sop_class_uid, identity.sop_instance_uid, identity.transfer_syntax_uid)
            arriving.write(change(content[length_of_meta(content) :]))
            kept.append(arriving.keep())
    return kept


def keep_back_a_capture(site: Site, corpus: Corpus) -> Job:
    """At a new site a capture with a name in it has arrived; its batch is over, it lies in quarantine and in raw."""
    site.folder.mkdir()
    site.keep_back_text()
    job = job_at(site)
    capture = next(one for study in corpus.studies for one in study.instances if one.shows_text)
    push(job, [corpus.folder / capture.path])
    (request,) = plan_arrivals(job.zones, 0, keep_originals=True)
    run_stages(job, request.batch)
    return job


def last_byte_changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def cut_short(data: bytes) -> bytes:
    return data[: -len(data) // 4]


def run_stages(job: Job, batch: str) -> list:
    """All five, as a run does them; the last one's rows."""
    for stage in (resolve_studies, retrieve_studies, deidentify_studies, map_batch):
        stage(job, batch)
    return validate_and_release(job, batch)
