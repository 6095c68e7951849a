"""Batches: their keys, their request files, and how a cohort or a window becomes some."""
