"""Tests of dashboards/report/."""
