"""Tests of affiliates/engines/."""
