"""Tests of pipelines/store/."""
