"""DAGSTER ONLY: partitions, resources, assets, checks, jobs, schedules, sensors, metadata. No work is done here."""
