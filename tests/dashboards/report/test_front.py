"""The front of the page of evidence says of a test what is open, and nothing that isn't."""

import pytest

from dashboards.report.front import _settling


@pytest.mark.parametrize(
    ("result", "is_open"), [("undetermined", True), ("not_measured", True), ("granted", False), ("exempt", False)]
)
def test_what_is_granted_needs_nothing(result: str, is_open: bool) -> None:
    """A licensor would read what the group lacks, of a use that the licensor has granted."""
    outcome = {"result": result, "settled_by": ["for `under` the upper bound must come down by 5"]}
    said = ["all: for “under” the upper bound must come down by 5"]
    assert list(_settling([("all", outcome)])) == (said if is_open else [])
