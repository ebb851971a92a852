"""Tests of pipelines/evidence/."""
