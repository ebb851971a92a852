"""Tests of affiliates/contributions/."""
