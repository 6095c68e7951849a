"""The one partitioning of all assets: a batch of studies."""

import dagster as dg

STUDY_BATCH = "study_batch"
study_batches = dg.DynamicPartitionsDefinition(name=STUDY_BATCH)
