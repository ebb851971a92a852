"""Tests of affiliates/aggregation/."""
