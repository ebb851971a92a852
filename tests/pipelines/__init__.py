"""Tests of pipelines/, folder by folder."""
