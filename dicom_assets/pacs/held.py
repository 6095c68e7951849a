"""What a destination says it holds: C-FIND or QIDO-RS at IMAGE level, one query a series."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadInput, DicomAssetsError, RetryLater
from .answers import text
from .archive import Archive
from .queries import open_queries
from .query import identifier

#: Of a destination that was reached, and whose answer to a query says nothing about instances.
_NO_ANSWER = {
    "PACS_ABORTED",
    "PACS_REQUEST_ABORTED",
    "PACS_STALLED",
    "PACS_UNREADABLE_ANSWER",
    "PACS_OUT_OF_RESOURCES",
    "PACS_PROCESSING_FAILURE",
}

#: StudyInstanceUID, SeriesInstanceUID
Series = tuple[str, str]


@dataclass(frozen=True)
class Held:
    """by_series: SOPInstanceUIDs; a series that could not be asked for is absent. failure: why the destination could
    not be reached; None where it was, whether or not it answers queries."""

    by_series: dict[Series, frozenset[str]]
    failure: RetryLater | None = None

    def has(self, series: Series, sop_instance_uid: str) -> bool | None:
        """None where the destination does not say."""
        held = self.by_series.get(series)
        return None if held is None else sop_instance_uid in held


def held_instances(destination: Archive, series: Sequence[Series]) -> Held:
    """Never raises a DicomAssetsError: many destinations take instances and answer no query."""
    found: dict[Series, frozenset[str]] = {}
    if not series:
        return Held(found)
    try:
        with open_queries(destination) as ask:
            for study_uid, series_uid in series:
                keys = identifier("IMAGE", StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid, SOPInstanceUID="")
                try:
                    answers = ask(keys)
                except BadInput as error:
                    if error.code != "PACS_QUERY_CAPPED":
                        raise
                else:
                    found[study_uid, series_uid] = frozenset(text(one, "SOPInstanceUID") or "" for one in answers)
    except RetryLater as error:
        return Held(found, None if error.code in _NO_ANSWER else error)
    except DicomAssetsError:
        return Held(found)
    return Held(found)
