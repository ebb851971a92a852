"""Dagster's view of the centre: one module for each of its concepts, each a thin layer over `collect`, `run` and `checks`."""
