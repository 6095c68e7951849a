"""When things happen by themselves. Schedules are off until somebody turns them on in the UI."""

import dagster as dg

from .jobs import plan_nightly

nightly = dg.ScheduleDefinition(
    name="nightly",
    job=plan_nightly,
    cron_schedule="0 1 * * *",
    description="At 01:00 (UTC unless the instance says otherwise): plan the studies of the last three days.",
)
