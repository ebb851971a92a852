"""Tests of affiliates/, folder by folder."""
