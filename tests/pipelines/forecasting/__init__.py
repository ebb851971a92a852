"""Tests of pipelines/forecasting/."""
