"""When things happen by themselves. Schedules are off until somebody turns them on in the UI."""

import dagster as dg

from ..errors import DicomAssetsError
from ..settings import Settings
from .jobs import plan_nightly


def site_time_zone() -> str:
    """The IANA name of DICOM_SITE_TIME_ZONE; UTC where it is not set, or of no use: whatever runs then says so."""
    try:
        zone = Settings.from_env().hours.zone
    except DicomAssetsError:
        zone = None
    return getattr(zone, "key", "UTC")


nightly = dg.ScheduleDefinition(
    name="nightly",
    job=plan_nightly,
    cron_schedule="0 1 * * *",
    execution_timezone=site_time_zone(),
    description="At 01:00 in DICOM_SITE_TIME_ZONE (else UTC): plan the studies of the last three days, and what has "
    "come to those that were taken before.",
)
