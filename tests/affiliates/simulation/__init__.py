"""Tests of affiliates/simulation/."""
