"""The zones below the two data roots, and what lies where. Paths are made of batch keys and pseudonyms only."""

from dataclasses import dataclass
from pathlib import Path

#: File and folder modes: restricted data for the service alone, released data for its group as well.
RESTRICTED_FILE, RESTRICTED_FOLDER = 0o600, 0o700
RELEASED_FILE, RELEASED_FOLDER = 0o640, 0o750

#: Behind the batch's key in the name of its request
REQUEST = ".request.parquet"


@dataclass(frozen=True)
class Zones:
    """restricted: identifiable data. released: pseudonyms only. Absolute paths."""

    restricted: Path
    released: Path

    @property
    def requests(self) -> Path:
        return self.restricted / "requests"

    def request(self, batch: str) -> Path:
        return self.requests / f"{batch}{REQUEST}"

    def resolved_studies(self, batch: str) -> Path:
        """Rows of ResolvedStudy: what the archive answered to the request."""
        return self.requests / f"{batch}.studies.parquet"

    def lock(self, batch: str) -> Path:
        return self.requests / f"{batch}.lock"

    @property
    def incoming(self) -> Path:
        """What was pushed to us and is in no batch yet: one folder a study, by its key."""
        return self.restricted / "incoming"

    def raw_batch(self, batch: str) -> Path:
        return self.restricted / "raw" / batch

    def raw(self, batch: str, study_key: str) -> Path:
        return self.raw_batch(batch) / study_key

    def staging(self, batch: str, study_key: str) -> Path:
        return self.restricted / "staging" / batch / study_key

    def quarantine(self, batch: str, study_key: str) -> Path:
        return self.restricted / "quarantine" / batch / study_key

    def decisions(self, study_key: str) -> Path:
        """Rows of Decision: what reviewers decided of the study's originals in quarantine, of whichever batch."""
        return self.restricted / "decisions" / f"{study_key}.parquet"

    @property
    def mapping_folder(self) -> Path:
        return self.restricted / "mapping"

    def mapping(self, batch: str) -> Path:
        return self.mapping_folder / f"{batch}.parquet"

    @property
    def given_pseudonyms(self) -> Path:
        """Rows of GivenPseudonym. In a folder of its own: what lies beside it are the parts of the batches."""
        return self.mapping_folder / "given" / "pseudonyms.parquet"

    @property
    def mapping_key_id(self) -> Path:
        """Names the key under which new tables are sealed; see keyring.py."""
        return self.mapping_folder / "key_id"

    @property
    def audit_log(self) -> Path:
        return self.mapping_folder / "audit.jsonl"

    @property
    def audit_head(self) -> Path:
        """Number and hash of the audit log's last line."""
        return self.audit_log.with_suffix(".head")

    def ledger(self, batch: str, stage: str) -> Path:
        return self.restricted / "ledger" / batch / f"{stage}.parquet"

    def closed(self, batch: str) -> Path:
        """Says that the batch's originals are not kept; see workflow/closing.py."""
        return self.restricted / "ledger" / batch / "closed"

    def report(self, batch: str, suffix: str) -> Path:
        """suffix: html, json, parquet or sha256."""
        return self.released / "reports" / f"{batch}.{suffix}"
