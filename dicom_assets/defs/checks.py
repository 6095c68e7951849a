"""Asset checks: statements that should be true of a batch. Only `ledger_adds_up` blocks: a study that fails another
check is withheld by itself and must not keep the others from their release."""

import warnings
from collections.abc import Callable, Sequence

import dagster as dg

from ..storage.ledger import STAGES, StudyRow, read_stage, sums_that_fail
from ..storage.zones import Zones
from ..workflow.job import zones_of
from ..workflow.mapped_rows import STATEMENT as MAPPING_STATEMENT
from ..workflow.release import read_check
from ..workflow.report import CheckResult
from ..workflow.verdict import CHECKS as CHECKS_OF_A_STUDY
from .failures import coded_failures
from .metadata import check_metadata
from .partitions import study_batches
from .resources import StorageResource, settings_from

#: Checks whose results stand in the batch's report: name -> statement
_PROVED = CHECKS_OF_A_STUDY | {"mapping_is_one_to_one": MAPPING_STATEMENT}


def _partitioned_check(fn: Callable, **options: object) -> dg.AssetChecksDefinition:
    """fn as an asset check, partitioned by batch: a preview in dagster 1.13, whose warning is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.asset_check(partitions_def=study_batches, **options)(fn)


def _zones(storage: StorageResource) -> Zones:
    return zones_of(settings_from(storage))


def _of_rows(
    stage: str, name: str, description: str, fails: Callable[[StudyRow], object], *, blocking: bool = False
) -> dg.AssetChecksDefinition:
    """A check of the ledger: fails(row) is true for a study of which the statement does not hold."""

    def check(context: dg.AssetCheckExecutionContext, storage: StorageResource) -> dg.AssetCheckResult:
        with coded_failures():
            rows = read_stage(_zones(storage), context.partition_key, stage)
        failed = [row.study_key for row in rows if fails(row)]
        return _result(len(rows), failed, blocking)

    return _partitioned_check(check, asset=stage, name=name, description=description, blocking=blocking)


def _result(looked_at: int, failed: Sequence[str], blocking: bool = False) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=not failed, severity=severity, metadata=check_metadata(looked_at, len(failed), failed)
    )


def _of_report(name: str, description: str) -> dg.AssetChecksDefinition:
    """A check whose result validation_report wrote. One that was not made has not passed, and nothing has failed."""

    def check(context: dg.AssetCheckExecutionContext, storage: StorageResource) -> dg.AssetCheckResult:
        with coded_failures():
            result: CheckResult = read_check(_zones(storage), context.partition_key, name)
        return dg.AssetCheckResult(
            passed=result.passed,
            severity=dg.AssetCheckSeverity.WARN if result.not_made else dg.AssetCheckSeverity.ERROR,
            metadata=check_metadata(result.looked_at, result.failed, (), result.not_made),
        )

    return _partitioned_check(check, asset="validation_report", name=name, description=description)


CHECKS = [
    _of_rows(
        "pacs_studies",
        "every_study_found",
        "The archive holds every study that the batch asks for.",
        lambda row: not row.found,
    ),
    _of_rows(
        "raw_dicom",
        "every_instance_received",
        "Every instance that the archive lists, or that was pushed to us, was read back from our disk; where an "
        "archive does not tell their number, never green.",
        lambda row: row.found and (row.expected is None or row.missing or row.state != "done"),
    ),
    *(
        _of_rows(
            stage,
            "ledger_adds_up",
            "Requested = found + not found; expected = received + missing; received = de-identified + quarantined; "
            "de-identified = released + withheld. Blocks what follows.",
            lambda row, stage=stage: sums_that_fail(row, stage),
            blocking=True,
        )
        for stage in STAGES
    ),
    *(_of_report(name, description) for name, description in _PROVED.items()),
]
