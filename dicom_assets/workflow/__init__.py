"""The stages of a batch as plain functions: each may be run again at any time and does only what is left to do."""
