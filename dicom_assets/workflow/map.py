"""mapping_table: the batch's mapping, made durable before anything is released."""

from dataclasses import replace

from ..storage.ledger import StudyRow, require_stage, write_stage
from ..storage.manifests import StagedInstance, manifest_of
from ..storage.mapping import MappedStudy, write_part
from ..storage.tables import read_sealed
from .closing import unless_closed
from .job import Job, working_on
from .pseudonym_conflicts import PSEUDONYM_CONFLICT, contradicting
from .settled_pseudonyms import mapped_and_given, settling
from .withdraw import withdraw


@unless_closed("mapping_table")
def map_batch(job: Job, batch: str) -> list[StudyRow]:
    """Write the mapping part of the batch from the manifests of its staged studies. A study whose patient another batch
    has mapped otherwise, be it a moment ago, is left out, and so is not released."""
    with working_on(job, batch), settling(job.zones):
        rows = require_stage(job.zones, batch, "anonymized_dicom")
        studies = [_mapped(job, batch, row.study_key) for row in rows if row.deidentified]
        refused = contradicting(studies, mapped_and_given(job.zones, but_not=batch))
        rows = [
            replace(row, state="failed", reason=PSEUDONYM_CONFLICT) if row.study_key in refused else row for row in rows
        ]
        studies = [study for study in studies if study.study_key not in refused]
        # What the mapping will not name any more must not stay released without its row.
        withdraw(job.zones, batch, but_not=[one.released_path for study in studies for one in study.instances])
        write_part(job.zones, batch, studies)
        write_stage(job.zones, batch, "mapping_table", rows)
    return rows


def _mapped(job: Job, batch: str, study_key: str) -> MappedStudy:
    instances = read_sealed(manifest_of(job.zones.staging(batch, study_key)), StagedInstance)
    return MappedStudy(study_key, tuple(instances))
