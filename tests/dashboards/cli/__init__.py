"""Tests of dashboards/cli/."""
