"""The part of the mapping beside what is about to be released: does each instance have its row, and no other?"""

from collections.abc import Sequence

from ..storage.manifests import StagedInstance
from ..storage.mapping import Part
from .report_content import CheckResult

STATEMENT = "One patient has one pseudonym and one pseudonym one patient; every file has its mapping row."
COLUMNS = ("Anonymized Filename", "sha256_anonymized", "sha256_original", "Original Patient ID", "Anonymized ID")


class MappedRows:
    """part: at least COLUMNS."""

    def __init__(self, part: Part) -> None:
        rows = list(zip(*(part[column] for column in COLUMNS), strict=True))
        self._count, self._rows = len(rows), {row[0]: row for row in rows}
        self._pairs = {(old, new) for *_, old, new in rows}

    def names(self, one: StagedInstance) -> bool:
        """It has its row, and the row says what its manifest does."""
        said = (one.released_path, one.sha256, one.raw_sha256, one.original_patient_id, one.patient_pseudonym)
        return self._rows.get(one.released_path) == said

    def has_more_than(self, staged: int) -> bool:
        """It has rows of what is not there: of the batch's instances it is not the mapping."""
        return self._count > staged

    def check(self, staged: Sequence[StagedInstance]) -> CheckResult:
        named = [pair for pair in self._pairs if pair[0]]  # instances without an ID have a pseudonym of their study
        doubled = len(named) * 2 - len({old for old, _ in named}) - len({new for _, new in named})
        failed = doubled + sum(not self.names(one) for one in staged) + abs(self._count - len(staged))
        return CheckResult("mapping_is_one_to_one", not failed, self._count, failed, STATEMENT)
