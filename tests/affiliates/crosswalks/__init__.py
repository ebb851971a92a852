"""Tests of affiliates/crosswalks/."""
