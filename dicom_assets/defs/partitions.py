"""The one partitioning of all assets: a batch of studies."""

import dagster as dg

STUDY_BATCH = "study_batch"
#: Tag of a run, Dagster's own: its batch.
PARTITION = "dagster/partition"
study_batches = dg.DynamicPartitionsDefinition(name=STUDY_BATCH)
