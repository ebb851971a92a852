"""Tests of pipelines/serving/."""
