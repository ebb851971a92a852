"""Tests of affiliates/sources/."""
