"""Tests of pipelines/licences/."""
