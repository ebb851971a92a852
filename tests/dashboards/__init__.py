"""Tests of dashboards/, folder by folder."""
