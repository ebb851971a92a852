"""Tests of affiliates/sketches/."""
