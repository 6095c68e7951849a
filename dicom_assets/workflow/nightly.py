"""The nightly window: studies of the last days, each once, and what has come to them since they were taken."""

from datetime import date, timedelta

from ..batches.lookback import LookBack
from ..batches.planning import Plan, write_batches
from ..batches.request import Request, RequestRow
from ..pacs.archive import Archive
from ..pacs.find import StudyQuery, open_finder
from ..storage.atomic import exclusive_lock
from .job import Job, coded_file_errors


def plan_nightly(job: Job, today: date, days_back: int) -> list[Request]:
    """Batch requests for the studies of the days_back days before today that no nightly batch names yet, and for the
    new instances of those that have grown since a nightly batch got them. All or nothing: raises where one of the
    archives does not answer, or another process plans them."""
    first, last = today - timedelta(days=days_back), today - timedelta(days=1)
    query = StudyQuery(date_from=f"{first:%Y%m%d}", date_to=f"{last:%Y%m%d}")
    rows: dict[str, tuple[RequestRow, int] | None] = {}
    with coded_file_errors(), exclusive_lock(job.zones.lock("nightly")):
        look_back = LookBack(job.zones, "nightly", job.key.study_key)
        for archive in job.archives:
            with job.talking_to(archive):
                _plan(archive, query, look_back, rows)
        wanted = [one for one in rows.values() if one is not None]
        plan = Plan(tuple(row for row, _ in wanted), tuple(count for _, count in wanted))
        return write_batches(job.zones, "nightly", f"{today:%Y%m%d}", "nightly", plan)


def _plan(
    archive: Archive, query: StudyQuery, look_back: LookBack, rows: dict[str, tuple[RequestRow, int] | None]
) -> None:
    """rows: StudyInstanceUID -> what is wanted of it, and how many instances; None for nothing. A study that an earlier
    archive has is that one's."""
    with open_finder(archive) as finder:
        for match in list(finder.studies(query)):
            uid = match.study_instance_uid
            if uid not in rows:
                new = RequestRow(study_instance_uid=uid), match.number_of_instances or 0
                rows[uid] = look_back.grown(finder, match) if look_back.names(uid) else new
