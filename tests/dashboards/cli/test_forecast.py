"""`mauwatch forecast`, as a person and as a program meets it."""

import csv
import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from affiliates.manifests.loader import read_group
from affiliates.periods import add_months
from dashboards.cli.main import main
from pipelines.forecasting.forecast import forecast_from_paths, walk
from pipelines.forecasting.series import Point, even_series
from pipelines.store import alert_log, contributions
from pipelines.workflows.run import run
from tests.support.command import mauwatch
from tests.support.databases import SQLITE
from tests.support.groups import NOW, entity, product, write_group

Here = Callable[..., tuple[object, str, str]]
OF_A_PERIOD = ["p2_5", "p10", "p50", "p90", "p97_5", "probability_over", "probability_crossed"]


@pytest.fixture
def series(tmp_path: Path) -> Path:
    path = tmp_path / "mau.csv"
    rows = [(f"{2024 + i // 4}-Q{i % 4 + 1}", 520 + 22 * i + 3 * (i % 3)) for i in range(10)]
    with path.open("w", newline="") as opened:
        csv.writer(opened).writerows([("period", "value"), *rows])
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """The command in this process, in the folder of the test: exit code, standard output and error."""

    def command(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["mauwatch", "forecast", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return command


def test_in_json_it_has_the_stable_shape(series: Path, here: Here) -> None:
    """Others build on it: period by period, in the spelling of the series."""
    code, said, _ = here("--series", series, "--threshold", 760, "--horizon", 3, "--json")
    found = json.loads(said)
    assert code == 0
    assert list(found)[:4] == ["schema_version", "as_of", "threshold", "periods"]
    assert (found["as_of"], found["threshold"]) == ("2026-Q2", 760)
    assert [list(period) for period in found["periods"]] == [["period", *OF_A_PERIOD, "by_estimate"]] * 3
    assert [list(period["by_estimate"]) for period in found["periods"]] == [OF_A_PERIOD] * 3
    assert [period["period"] for period in found["periods"]] == ["2026-Q3", "2026-Q4", "2027-Q1"]
    assert found["not_within_horizon"] == pytest.approx(1 - found["periods"][-1]["probability_crossed"], abs=1e-4)
    assert sum(found["first_passage"].values()) + found["not_within_horizon"] == pytest.approx(1, abs=1e-3)
    assert found == json.loads(here("--series", series, "--threshold", 760, "--horizon", 3, "--json")[1])


def test_what_a_person_reads(series: Path) -> None:
    done = mauwatch("forecast", "--series", series, "--threshold", 760, cwd=series.parent)
    assert done.returncode == 0, done.stderr
    for said in (
        "mau.csv: forecast as of 2026-Q2", "threshold 760", "2028-Q2", "P(crossed)", "Not within the horizon, to 2028-Q2:",
        "Decide by, for a crossing at 50 % by", "licence request", "migration", "no evidence", "no legal advice",
    ):  # fmt: skip
        assert said in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 120


def test_two_doubts_are_told_apart(tmp_path: Path, here: Here) -> None:
    """Bounds from 311 to 769 million round an estimate of 744: 99 % over by the estimate and 56 % by the range. The second alone
    was said, and nobody was told of the assumption that it rests on."""
    rows = [f"{2024 + i // 12}-{i % 12 + 1:02},{720e6 + 1e6 * i:.0f},311000000,{745e6 + 1e6 * i:.0f}" for i in range(24)]
    (tmp_path / "range.csv").write_text("\n".join(["period,value,lower,upper", *rows]) + "\n")
    asked = ("--series", "range.csv", "--threshold", 700_000_000, "--horizon", 3)
    found = json.loads(here(*asked, "--json")[1])
    first = found["periods"][0]
    assert first["by_estimate"]["probability_over"] > 0.95
    assert 0.5 < first["probability_over"] < 0.65
    assert (found["newest_lower"], found["newest_upper"]) == (311_000_000, 768_000_000)
    assert found["by_estimate"]["probability_over_now"] == 1
    assert first["by_estimate"]["p2_5"] > 2 * first["p2_5"]
    shown = here(*asked)[1]
    said = " ".join(shown.split())
    chances = [f"{100 * p['probability_over']:.1f} %" for p in (first, first["by_estimate"])]
    assert f"P(over) in 2026-01 is {chances[0]} by the range and {chances[1]} by the estimate." in said.replace(
        "> 99.9 %", chances[1]
    )
    assert "taken as normal in logarithms around the estimate" in said
    assert "the newest figure lies from 311,000,000 to 768,000,000" in said, "and not from 3.11e+08"
    assert "for a crossing at 50 % (by the estimate) by 2026-01" in said
    assert max(len(line) for line in shown.splitlines()) <= 120


@pytest.mark.parametrize("bounds", ["", ",600,800"])
def test_the_horizon_changes_no_period(tmp_path: Path, here: Here, bounds: str) -> None:
    """The same month had other figures under another horizon: nobody could tell which of two reports was right."""
    rows = [f"{2023 + i // 12}-{i % 12 + 1:02},{600 + 4 * i + i % 3}{bounds}" for i in range(30)]
    (tmp_path / "months.csv").write_text("\n".join(["period,value" + (",lower,upper" if bounds else ""), *rows]) + "\n")
    short, long = (
        json.loads(here("--series", "months.csv", "--threshold", 760, "--horizon", n, "--json")[1])["periods"] for n in (2, 40)
    )
    assert short == long[:2]


def test_without_a_threshold_it_is_the_newest_licences(series: Path, here: Here) -> None:
    found = json.loads(here("--series", series, "--json")[1])
    assert found["threshold"] == 700_000_000
    assert len(found["periods"]) == 8
    assert any("same unit" in note for note in found["notes"])
    assert [each["crossing"] for each in found["decide_by"]] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--series", "none.csv"], "none.csv"),
        (["--series", "bad.csv"], "bad.csv:3: periods are missing before it"),
        (["--series", "mau.csv", "--threshold", "-1"], "a number over zero"),
        (["--series", "mau.csv", "--threshold", "nan"], "a number over zero"),
        (["--series", "mau.csv", "--threshold", "inf"], "a number over zero"),
        (["--series", "mau.csv", "--horizon", "0"], "--horizon"),
        (["--series", "mau.csv", "--plot", "nowhere/fan.png"], "can't be read or written"),
        (["--series", "mau.csv", "--plot", "fan.gif"], ".png or .html"),
        (["--series", "mau.csv", "--reading", "people"], "--reading"),
        ([], "is not a group directory"),
    ],
)
def test_bad_input_ends_with_2(series: Path, here: Here, arguments: list[str], said: str) -> None:
    """And with nothing on standard output that could be taken for an answer."""
    (series.parent / "bad.csv").write_text("period,value\n2025-01,1\n2025-03,2\n2025-04,2\n")
    code, out, errors = here(*arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(errors.split())


def test_a_groups_own_months(tmp_path: Path, here: Here) -> None:
    """By the reading of record and the group's lead times; what stands in is said."""
    counts = [
        {"month": f"2024-{m:02}", "users": 640_000_000 + 5_000_000 * m, "unit": "people", "document": "x", "attested_by": "CFO"}
        for m in range(1, 11)
    ]
    app = product(**{"from": "2024-01-01", "to": "2024-11-01", "sources": [], "grain": "month", "counts": counts})
    directory = write_group(tmp_path, [entity("a", [app])])
    (directory / "alerts.yaml").write_text("lead_times: {licence_request: 30, migration: 0}\n")
    run(directory, read_group(directory), NOW)
    code, said, errors = here("--json")
    assert code == 0, errors
    found = json.loads(said)
    assert (found["as_of"], found["newest"], found["series"]) == ("2024-10", 690_000_000, "test by unique_people")
    assert [p["period"] for p in found["periods"]][:3] == ["2024-11", "2024-12", "2025-01"]
    assert len(found["periods"]) == 24
    assert found["periods"][8]["p50"] > 700_000_000
    assert found["lead_times"] == {"licence_request": 30, "migration": 0}
    assert found["notes"][0] == "from 2024-01: counts or ceilings stand in for a/app"
    assert json.loads(here("--json", "--reading", "summed_products", "--horizon", 1)[1])["series"] == "test by summed_products"
    assert here("--reading", "none")[0] == 2
    (directory / "alerts.yaml").write_text("levels: {}\n")
    code, _, errors = here()
    assert (code, "alerts.yaml:1" in errors) == (2, True)


def test_an_alert_and_the_forecast_say_one_chance(tmp_path: Path, here: Here) -> None:
    """Of more months than alerts used to look back at, with days of the month that isn't over: they said 57.89 and 57.78 %.

    With `--to-date` the people so far count as well, which is another question.
    """
    months = [add_months(date(2021, 10, 1), number) for number in range(43)]
    counts = [
        {"month": f"{m:%Y-%m}", "users": 480_000_000 + 4_500_000 * n + 9_000_000 * (n % 4), "unit": "people", "document": "x",
         "attested_by": "CFO"}
        for n, m in enumerate(months)
    ]  # fmt: skip
    app = product(**{"from": "2021-10-01", "to": "2025-05-01", "sources": [], "grain": "month", "counts": counts})
    directory = write_group(tmp_path, [entity("a", [app])])
    run(directory, read_group(directory), datetime(2025, 5, 5, tzinfo=UTC))
    with contributions.open_store(SQLITE, directory) as store:
        (alert,) = [one for one in alert_log.current(store).values() if one.kind == "threshold"]
    found = json.loads(here("--json")[1])
    assert alert.within_year is not None
    assert alert.within_quarter is not None
    assert 0.02 < alert.within_quarter < alert.within_year < 0.98
    chances = [period["probability_crossed"] for period in found["periods"]]
    assert (chances[2], chances[11]) == (round(alert.within_quarter, 4), round(alert.within_year, 4))
    asked = json.loads(here("--json", "--threshold", 700_000_000, "--horizon", 36)[1])
    assert [period["probability_crossed"] for period in asked["periods"]][:24] == chances, "the same question, further ahead"
    assert not any("to date" in note for note in found["notes"])
    assert here("--to-date", "--series", "x.csv", "--threshold", 1)[0] == 2


@pytest.mark.parametrize("threshold", [700.0, 1e6])
def test_pictures(tmp_path: Path, threshold: float) -> None:
    """A picture that any viewer opens, and a page that fetches nothing: a finance person's machine may have no network. With
    a threshold out of sight, the figures aren't pressed flat."""
    from dashboards.charts import forecast

    points = [Point(24000 + i, 600.0 + 5 * i, 590.0 + 5 * i, 615.0 + 5 * i, "" if i != 3 else "new") for i in range(14)]
    made = forecast_from_paths(walk(even_series("x", points, 1, "month"), 12, paths=500), threshold)
    for name in ("fan.png", "fan.html"):
        forecast.write(made, tmp_path / name)
    picture = (tmp_path / "fan.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.endswith(b"IEND\xaeB`\x82")
    page = (tmp_path / "fan.html").read_text(encoding="utf-8")
    assert "<script src=" not in page
    assert "<link" not in page
    traces = _traces(page)
    names = {"95 % bounds of the figures", "95 % by the range", "95 % by the estimate", "median", "figures"}
    assert {trace.get("name") for trace in traces} >= names
    assert ("threshold 700" in page) == (threshold == 700)
    assert "no legal advice" in page


@pytest.mark.parametrize("bounds", [{}, {"lower": 300.0, "upper": 700.0}])
@pytest.mark.parametrize("threshold", [560.0, 655.0, 700.0])
@pytest.mark.parametrize("horizon", [1, 24])
def test_no_label_lies_upon_another(bounds: dict[str, float], threshold: float, horizon: int) -> None:
    """The legend lay over the threshold's label: the reader couldn't see which line is the threshold."""
    from dashboards.charts import forecast

    points = [Point(24000 + i, 600.0 + 4 * i, **bounds, break_="new" if i == 3 else "") for i in range(14)]
    made = forecast_from_paths(walk(even_series("x", points, 1, "month"), horizon, paths=300), threshold)
    figure = forecast.picture(forecast.drawing(made))
    figure.canvas.draw()
    legends = [axes.get_legend() for axes in figure.axes]
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts), *legends]
    boxes = [text.get_window_extent() for text in texts if text is not None]
    boxes += [axes.get_window_extent() for axes in figure.axes]
    assert sum(text is not None for text in texts) == 7 if made.crossing(0.5) else 6
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes)


def _traces(page: str) -> list[dict[str, Any]]:
    begin = page.index("[", page.rindex("Plotly.newPlot("))
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(page[begin:])[0]
    return found
