"""Dagster's concepts and no more: each module is a thin layer over `workflows` and `ingestion`.

Doors: in_process, instance, event_log, ticks. All other modules are private. Nothing is computed here.
"""
