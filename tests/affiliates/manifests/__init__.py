"""Tests of affiliates/manifests/."""
