"""Tables of the terminal: a number that is broken over two lines is another number to whoever reads one line."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from rich.console import Console, RenderableType

from dashboards.cli import tables
from dashboards.cli.commands import alerts
from dashboards.cli.console import WIDTH
from dashboards.cli.licence_tables import below, named
from pipelines.licences import registry
from pipelines.licences.outcome import ReadingResult
from pipelines.licences.release_tests import LicenceTest, if_released, llama_releases
from pipelines.store.alert_log import Transition


def printed(shown: RenderableType) -> str:
    written = io.StringIO()
    Console(file=written, width=WIDTH, markup=False, highlight=False).print(shown)
    return written.getvalue()


@pytest.mark.parametrize("number", ["768,637,304", "7,968,637,304", "-1,439,422,125"])
@pytest.mark.parametrize("columns", [3, 6, 7])
def test_no_number_is_broken(number: str, columns: int) -> None:
    """Seven columns of people and more were wider than 120, and `730,549,601` stood there as `730,549,60` above `1`."""
    heads = ["month", *["highest"] * columns]
    shown = printed(tables.table("people", heads, [("2026-11", *[number] * columns)], range(1, columns + 1)))
    assert shown.count(number) == columns
    assert max(map(len, shown.splitlines())) <= WIDTH


def test_bounds_stand_beside_an_alerts_figure() -> None:
    """108 % of a threshold says nothing by itself: the range reached from 2 %."""
    alert = Transition(
        "threshold", "llama/700000000", "unique_people", "raised", "act", "", "", datetime(2025, 11, 5, tzinfo=UTC),
        as_of=date(2025, 10, 31), estimate=758_978_738, lower=15_000_000, upper=768_637_304, threshold=700_000_000,
    )  # fmt: skip
    shown = " ".join(printed(alerts._shown([alert], {})).split())
    assert "2025-10: 758,978,738 (15,000,000 to 768,637,304)," in shown


def test_two_licensees_of_one_licence_are_named_once() -> None:
    """It was `llama-4, llama-4: ...` in the short table, and `llama-4, holding, llama-4, media: ...` in the long one."""
    newest = llama_releases(registry.builtin())[-1]
    result = {"all": ReadingResult("not_measured", None, None, None, True, ("contributions for 2025-03",))}
    tests = [LicenceTest(newest, licensee, result) for licensee in ("holding", "media")]
    names = named([*tests, LicenceTest(if_released(date(2026, 1, 5)), "holding", result)])
    assert names == ["llama-4 of holding", "llama-4 of media", "as llama-4 on 2026-01-05"]
    assert named(tests[:1]) == ["llama-4"]
    (text,) = below([(name, result) for name in names])
    assert "llama-4 of holding and media, as llama-4 on 2026-01-05: contributions for 2025-03" in text.plain
    sums = replace(result["all"], settled_by=("a crosswalk",))
    (text,) = below([(name, result | {"sum": sums}) for name in ("llama-4 of a", "llama-4 of b", "llama-4 of c")])
    assert "  llama-4 of a, b and c by sum: a crosswalk" in text.plain
    granted = replace(sums, result="granted", without_grants="undetermined")
    assert list(below([("llama-4", {"sum": granted})])) == [], "nothing has to be settled where a grant covers the use"
