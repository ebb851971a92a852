"""A signed month's licence test by another group than the month's end, after sketches were erased: it stands as it was signed.

What would silently go wrong: an erasure that a regulator asks for turns a signed `under` into `undetermined`, in the store, on
the page of licences and in the ledger, and no evidence of the signed month can be written any more.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from affiliates.manifests.loader import read_group
from dashboards.cli.commands.erase import publish_after_erasure
from dashboards.report import pdf
from pipelines.evidence import verify
from pipelines.licences import release_tests
from pipelines.store import contributions, erasure
from pipelines.store.erasure import Order, Scope
from pipelines.workflows.run import run
from tests.support.databases import rows_of
from tests.support.groups import NOW
from tests.support.signed_bundles import LLAMA_4, MARCH, head_of, signed_group, write_bundles

STORE = "sqlite:///.mauwatch/store.sqlite"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """March is signed, and one of its products' affiliates is sold between its end and the release."""
    return signed_group(tmp_path / "group")


def result_of(directory: Path) -> dict[str, tuple[object, ...]]:
    group = read_group(directory)
    with contributions.open_store(STORE, directory) as store:
        (test,) = release_tests.run_tests(store, group, [LLAMA_4], today=NOW.date())
    return {name: (r.result, r.estimate, r.lower, r.upper, r.headroom) for name, r in test.readings.items()}


def erase_a_day(directory: Path) -> None:
    """`mauwatch erase a/app`, whose affiliate is in both groups, and the run after it."""
    group = read_group(directory)
    later = NOW + timedelta(hours=1)
    with contributions.open_store(STORE, directory) as store:
        erasure.erase(store, Scope("a", "app", MARCH, MARCH), Order("DPO", "asked"), later)
        publish_after_erasure(store, directory, group, [MARCH], later)
    run(directory, group, later + timedelta(hours=1))


def test_it_stands_as_it_was_signed(directory: Path, tmp_path: Path) -> None:
    before = result_of(directory)
    rows = rows_of(STORE, directory)["licence_tests"]
    erase_a_day(directory)
    assert result_of(directory) == before
    assert rows_of(STORE, directory)["licence_tests"] == rows, "nothing else is noted"
    bundles = write_bundles(directory, tmp_path / "evidence")
    for kind in ("outside", "expert"):
        seen = verify.check(bundles / f"{kind}.zip", None, head_of(directory), pdf.pdf, pdf.made_with())
        assert seen.wrong == []
        assert any(text.startswith("inputs.json: contributions: erased_at") for text in seen.not_compared)


def test_a_month_that_nobody_has_signed_is_tested_by_what_is_left(directory: Path) -> None:
    """Signed anew after the erasure, it is what there is: no bound that nobody can check any more."""
    erase_a_day(directory)
    group = read_group(directory)
    with contributions.open_store(STORE, directory) as store:
        (test,) = release_tests.run_tests(store, group, [LLAMA_4], anew=True, today=NOW.date())
    assert {result.upper for result in test.readings.values()} == {None}
