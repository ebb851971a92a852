"""Tests of affiliates/identity/."""
