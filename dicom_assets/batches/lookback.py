"""Look-back: studies that earlier batches have retrieved, and that have grown since. Only the new instances are asked
for, in a batch of their own."""

from collections import defaultdict
from collections.abc import Callable

from ..pacs.find import Finder, StudyMatch
from ..storage.ledger import read_stage
from ..storage.manifests import held_by
from ..storage.zones import Zones
from .request import RequestRow, list_batches, load_request


class LookBack:
    """Over all batches of a source. study_key: StudyInstanceUID -> the study's pseudonym."""

    def __init__(self, zones: Zones, source: str, study_key: Callable[[str], str]) -> None:
        self._zones, self._study_key = zones, study_key
        self._batches: dict[str, list[str]] = defaultdict(list)
        for batch in list_batches(zones):
            if batch.startswith(f"{source}-"):
                for row in load_request(zones, batch).rows:
                    self._batches[row.study_instance_uid].append(batch)
        self._complete: dict[str, set[str]] = {}  #: batch -> keys of the studies that it has got completely

    def names(self, study_instance_uid: str) -> bool:
        """A batch asks for the study."""
        return study_instance_uid in self._batches

    def grown(self, finder: Finder, match: StudyMatch) -> tuple[RequestRow, int] | None:
        """The row that asks for what is new of a study that a batch names, and how many instances that is. None where
        nothing is new, or a batch has not got its part yet: running that batch again brings the rest."""
        batches = tuple(self._batches[match.study_instance_uid])
        key = self._study_key(match.study_instance_uid)
        if not all(self._has_got(batch, key) for batch in batches):
            return None
        held = held_by(self._zones, key, batches)
        # Whatever number the archive gives: an instance may have taken the place of another.
        new = finder.expected(match.study_instance_uid).besides(held.keys()) or 0
        return (RequestRow(study_instance_uid=match.study_instance_uid, but_not=batches), new) if new > 0 else None

    def _has_got(self, batch: str, study_key: str) -> bool:
        if batch not in self._complete:
            rows = read_stage(self._zones, batch, "raw_dicom")
            self._complete[batch] = {row.study_key for row in rows if row.state == "done"}
        return study_key in self._complete[batch]
