"""Where tests find files: by these names alone, so that a test may move."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
TESTS = ROOT / "tests"
DATA = TESTS / "data"
SHARED = ROOT.parent / "shared"
"""Beside the checkout; what rests on it is skipped where it isn't there."""
