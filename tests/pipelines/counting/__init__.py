"""Tests of pipelines/counting/."""
