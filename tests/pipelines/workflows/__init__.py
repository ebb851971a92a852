"""Tests of pipelines/workflows/."""
