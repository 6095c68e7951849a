"""The nightly window: studies of the last days, nothing twice."""

from datetime import date, timedelta

from ..batches.planning import already_planned, plan_window, write_batches
from ..batches.request import Request
from .job import Job, coded_file_errors


def plan_nightly(job: Job, today: date, days_back: int) -> list[Request]:
    """Batch requests for the studies of the days_back days before today that no nightly batch names yet."""
    first, last = today - timedelta(days=days_back), today - timedelta(days=1)
    with coded_file_errors():
        planned = already_planned(job.zones, "nightly")
        plan = plan_window(job.archive, f"{first:%Y%m%d}", f"{last:%Y%m%d}", planned)
        return write_batches(job.zones, "nightly", f"{today:%Y%m%d}", "nightly", plan)
