"""Tests of pipelines/ingestion/."""
