"""What a message says of a figure and its threshold is so, whatever the bounds, and whichever way the figure moves."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from affiliates.manifests.alert_settings import Alerting
from pipelines.alerts import messages
from pipelines.alerts.messages import About
from pipelines.alerts.state import Event, Level, Situation, State, advance, assess, close
from pipelines.store.alert_log import AlertKey, Transition

ALERTING = Alerting()
LINE = 700_000_000
NAME = "the threshold of llama (700,000,000)"
NOW = datetime(2025, 11, 5, tzinfo=UTC)
OCTOBER = date(2025, 10, 31)
NONE, WATCH, PREPARE, ACT, OVER = Level


def situation(millions: float, wide: float = 1.0, **changes: Any) -> Situation:
    """A figure in millions, with bounds so many millions apart on each side."""
    low, middle, high = (round(people * 1e6) for people in (millions - wide, millions, millions + wide))
    return Situation(OCTOBER, "month", LINE, middle, low, high, **changes)


def told(figure: Situation, event: Event, rule: str = "llama/700000000", **signed: Any) -> dict[str, str]:
    """The message of an event about a figure."""
    alert = Transition(
        "threshold", rule, "unique_people", event.action, event.level.word, "", "", NOW, as_of=figure.as_of,
        estimate=figure.estimate, lower=figure.lower, upper=figure.upper, threshold=figure.threshold,
        within_year=figure.within_year, within_quarter=figure.within_quarter, **signed,
    )  # fmt: skip
    return messages.payload(alert, event, About("acme", of_record=True), ALERTING, "c0ffee")


@pytest.mark.parametrize(
    ("figure", "level", "title", "body"),
    [
        (situation(500), WATCH, f"near {NAME} in 2025-10", "71.3% to 71.6%"),
        (situation(699), ACT, f"near {NAME} in 2025-10", "99.9% of 700,000,000"),
        (situation(699.5), ACT, f"not certainly below {NAME} in 2025-10", "upper bound is above the threshold"),
        (situation(700), ACT, f"not certainly below {NAME} in 2025-10", "100.0% of 700,000,000"),
        (situation(700.5), ACT, f"perhaps above {NAME} in 2025-10", "The estimate is above the threshold"),
        (situation(710, 60), ACT, f"perhaps above {NAME} in 2025-10", "650,000,000 to 770,000,000"),
        (situation(720), OVER, f"above {NAME} in 2025-10", "102.9% of 700,000,000 (102.7% to 103.0%)"),
        (situation(500, 250), PREPARE, f"not certainly below {NAME} in 2025-10", "it can't be told whether it is passed"),
        (situation(200, within_year=0.6, within_quarter=0.1), PREPARE, f"may pass {NAME} within twelve months", "60% in twelve"),
        (situation(200, within_year=0.9, within_quarter=0.6), ACT, f"may pass {NAME} within three months", "60% in three months"),
    ],
    ids=["below", "just below", "reaches above", "at the threshold", "above by the estimate", "wide and above", "above", "wide",
         "by the forecast", "soon by the forecast"],
)  # fmt: skip
def test_where_a_figure_lies(figure: Situation, level: Level, title: str, body: str) -> None:
    """`near` was said of a figure above the threshold, and of one at a third of it."""
    assert assess(figure, ALERTING).rises == level, "the case is one that happens"
    message = told(figure, Event("raised", level))
    assert message["title"] == f"[{level.word}] acme: {title}"
    assert body in message["text"]
    assert ("Probability of passing it, by the range (the figure's bounds" in message["text"]) == (
        figure.within_year is not None and "above" not in title
    )
    assert "700" not in message["bare_title"] + message["bare_text"]


@pytest.mark.parametrize(
    ("upper", "title"),
    [(None, f"perhaps above {NAME} in 2025-10"), (705_000_000, f"perhaps above {NAME} in 2025-10")],
    ids=["no upper bound", "bounded"],
)
def test_without_an_upper_bound(upper: int | None, title: str) -> None:
    figure = Situation(OCTOBER, "month", LINE, 701_000_000, 699_000_000, upper)
    message = told(figure, Event("raised", ACT))
    assert message["title"].endswith(title)
    assert ("no upper bound yet" in message["text"]) == (upper is None)
    below = told(Situation(OCTOBER, "month", LINE, 600_000_000, 599_000_000, upper=None), Event("raised", PREPARE))
    assert "Without an upper bound it can't be told whether the threshold is passed." in below["text"]


def test_a_lower_bound_alone() -> None:
    """Where only the largest count is known there is no estimate, and the message had no figure at all."""
    message = told(Situation(OCTOBER, "month", LINE, None, 710_000_000, None), Event("raised", OVER))
    assert "2025-10: 710,000,000 to no upper bound yet people, 101.4% to no upper bound yet of 700,000,000" in message["text"]


@pytest.mark.parametrize(("rule", "word"), [("dsa/700000000+ a/app", "at or above"), ("llama/700000000", "above")])
def test_a_threshold_that_is_over_when_it_is_reached(rule: str, word: str) -> None:
    """A figure that equals such a threshold isn't above it."""
    figure = situation(700, 0, at_least=word == "at or above")
    assert (assess(figure, ALERTING).rises == OVER) == (word == "at or above")
    if word == "at or above":
        assert "at or above the threshold of dsa" in told(figure, Event("raised", OVER), rule)["title"]
    else:
        assert "above" not in told(figure, Event("raised", ACT), rule)["title"]


def test_falling_and_rising_while_it_falls() -> None:
    """A level that falls by its forecast was called `further from the threshold`, of a figure that had come nearer."""
    high = situation(560, within_year=0.6, within_quarter=0.1)
    nearer = situation(570, within_year=0.2, within_quarter=0.0)
    state, _ = advance(State(), [assess(high, ALERTING)], NOW, ALERTING)
    _, (lowered,) = advance(state, [assess(nearer, ALERTING)], NOW, ALERTING)
    message = told(nearer, lowered)
    assert message["title"] == f"[watch] acme: lowered from prepare: {NAME}"
    assert "Level: watch, before: prepare." in message["text"]
    assert "further" not in message["text"] + message["title"]


def test_cleared_because_the_rest_was_closed() -> None:
    """Who had closed `prepare` was told `no longer near`, of a figure at nine tenths of the threshold."""
    state, _ = advance(State(), [assess(situation(620), ALERTING)], NOW, ALERTING)
    state, _ = close(state, "granted", NOW)
    state, _ = advance(state, [assess(situation(680), ALERTING)], NOW, ALERTING)
    _, (cleared,) = advance(state, [assess(situation(620), ALERTING)], NOW, ALERTING)
    message = told(situation(620), cleared)
    assert message["title"] == f"[none] acme: no alert any more, since prepare was closed: {NAME}"
    assert "Level: none, since prepare was closed by a named person, before: act." in message["text"]


def test_cleared_and_closed_say_their_levels() -> None:
    """`Level: act, before: none` was said of an alert that had just ended."""
    state, _ = advance(State(), [assess(situation(680), ALERTING)], NOW, ALERTING)
    _, (cleared,) = advance(state, [assess(situation(300), ALERTING)], NOW, ALERTING)
    assert "Level: none, before: act." in told(situation(300), cleared)["text"]
    _, (closed,) = close(state, "granted", NOW)
    message = told(situation(680), closed, closed_by="Counsel", reason_code="granted", matter="2025/1")
    assert message["title"] == f"[act] acme: closed by Counsel: {NAME}"
    assert "Level: none, closed by Counsel, before: act." in message["text"]


def test_data_are_named_with_their_days() -> None:
    """An alert that names a product and no day sends its owner to look through a month."""
    alert = Transition(*AlertKey("missing_data"), "found", "open", "2025-10 a/app\n2025-10", "", NOW)
    lines = {"2025-10 a/app": "2025-10 a/app: 2 days missing (2025-10-03, 2025-10-05), Head of App"}
    event = Event("found", subjects=("2025-10", "2025-10 a/app"))
    text = messages.payload(alert, event, About("acme", of_record=True, lines=lines), ALERTING, "c0ffee")["text"]
    assert "  2025-10\n  2025-10 a/app: 2 days missing (2025-10-03, 2025-10-05), Head of App\n" in text
    assert text.count("a/app") == 1
