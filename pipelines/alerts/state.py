"""When somebody has to be told: a state machine for one incident. Pure.

A look is what one period's published figure says. It may say "at least this level", "below that one", both, or nothing: an
open month says nothing about being below, and one that can't be compared with the month before says nothing at all. So
what is missing never clears, and a changed definition neither clears nor crosses.

A level is raised once enough of the last looks reach it, and lowered once enough of them lie below a lower line. `over`
needs one look, and is lowered by a named person alone.

A few lines over 300: a state and all that may happen to it are read together.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Literal

from pydantic import TypeAdapter

from affiliates.manifests.alert_settings import Alerting, Looks

Grain = Literal["day", "month"]
Action = Literal["raised", "lowered", "cleared", "found", "ended", "escalated", "acknowledged", "closed", "set_aside"]


class Level(IntEnum):
    """How near the threshold is; each is worse than the one before."""

    NONE = 0
    WATCH = 1
    PREPARE = 2
    ACT = 3
    OVER = 4

    @property
    def word(self) -> str:
        return self.name.lower()


REASONS = {
    "granted": "a licence was granted",
    "migrated": "the models are out of use",
    "not_applicable": "the clause doesn't apply to the group, as counsel says",
    "measured_wrongly": "the figure was wrong",
    "confirmed": "the change is real: the figure counts as it is",
    "not_comparable": "the figure can't be compared with the ones before, and says nothing",
    "accepted": "it is known, and stays as it is",
}
"""Why a named person closes an incident."""
CLOSES = {
    "threshold": ("granted", "migrated", "not_applicable", "measured_wrongly"),
    "definition_change": ("confirmed", "not_comparable"),
    "jump": ("confirmed", "not_comparable"),
    "missing_data": ("accepted",),
    "failed_run": ("accepted",),
}


@dataclass(frozen=True)
class Situation:
    """What is known of a figure under the reading of record in one period; numbers are people."""

    as_of: date
    """The period's last day."""
    grain: Grain
    threshold: int
    estimate: int | None
    lower: int | None
    upper: int | None
    """Null while anything that is due is missing or hasn't settled."""
    within_year: float | None = None
    """Probability that the threshold is passed within twelve months; null without a forecast."""
    within_quarter: float | None = None
    """The same within three months."""
    doubted: bool = False
    """It can't be compared with the period before: by another definition, or too far from it."""
    at_least: bool = False
    """Whether the threshold itself is over it."""

    def is_over(self, users: float, part: float = 1.0) -> bool:
        """Whether so many users are over this part of the threshold."""
        return users >= self.threshold * part if self.at_least else users > self.threshold * part


@dataclass(frozen=True)
class Assessment:
    """What a situation says."""

    as_of: date
    grain: Grain
    rises: Level
    """The worst level that it reaches."""
    holds: Level | None
    """The worst level whose lower line it isn't below; null if it says nothing about that."""
    forecast: bool
    doubted: bool
    estimate: int | None
    void: bool = False
    """A named person has said that this figure was wrong."""
    answered: bool = False
    """A named person has closed an alert that it had raised to `over`."""

    @property
    def counts(self) -> bool:
        return not (self.doubted or self.void)


@dataclass(frozen=True)
class State:
    """An incident between two looks."""

    level: Level = Level.NONE
    subjects: tuple[str, ...] = ()
    """Of an alert about data: what it is about; it is open while there are any."""
    since: datetime | None = None
    """When it came to what it is now."""
    acknowledged_by: str | None = None
    escalated: bool = False
    closed: Level = Level.NONE
    """The worst level that a named person has closed: silent up to it until the figure falls below."""
    settled: tuple[str, ...] = ()
    """Subjects that a named person has closed."""
    confirmed: tuple[str, ...] = ()
    """Those of them that are real."""
    forecast: bool = False
    """Whether there has been a forecast: looks without one don't lower any more."""
    looks: tuple[Assessment, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.level > Level.NONE or bool(self.subjects)


_KEPT = TypeAdapter(State)


def to_text(state: State) -> str:
    """As the store keeps it."""
    return _KEPT.dump_json(state).decode()


def from_text(text: str) -> State:
    """The state that `to_text` was given."""
    return _KEPT.validate_json(text)


@dataclass(frozen=True)
class Event:
    """Something that happened to an incident."""

    action: Action
    level: Level = Level.NONE
    """The one that it has now; of what was cleared or closed, the one that it had."""
    before: Level = Level.NONE
    subjects: tuple[str, ...] = ()
    """Those that are new; of what has ended, those that it was about."""


Step = tuple[State, list[Event]]


def assess(s: Situation, rules: Alerting) -> Assessment:
    """What a situation says under the group's levels."""
    rises = Level.NONE
    if s.estimate is not None:
        rises = max((level for level, met in _met(s, rules, 1.0, 1.0) if met), default=Level.NONE)
    holds = None
    if s.estimate is not None and s.upper is not None:
        lines = _met(s, rules, 1 - rules.band, 1 - rules.probability_band)
        holds = max((level for level, met in lines if met), default=Level.NONE)
        if s.is_over(s.upper, 1 - rules.band):
            holds = Level.OVER
    return Assessment(s.as_of, s.grain, rises, holds, s.within_year is not None, s.doubted, s.estimate)


def _met(s: Situation, rules: Alerting, line: float, odds: float) -> Iterator[tuple[Level, bool]]:
    """Each level, and whether it is reached; `line` and `odds` lower the lines of figures and of probabilities."""
    estimate = s.estimate or 0
    threshold = s.threshold
    year = s.within_year or 0.0
    quarter = s.within_quarter or 0.0
    shares = rules.shares
    chances = rules.probabilities
    above = s.upper is not None and s.is_over(s.upper, line)
    yield Level.WATCH, year >= chances.watch * odds or estimate >= shares.watch * threshold * line
    yield Level.PREPARE, year >= chances.prepare * odds or estimate >= shares.prepare * threshold * line or above
    yield Level.ACT, quarter >= chances.act * odds or estimate >= shares.act * threshold * line
    yield Level.OVER, line == 1 and s.is_over(s.lower or 0)


def advance(state: State, looks: Iterable[Assessment], now: datetime, rules: Alerting, frozen: bool = False) -> Step:
    """Take in looks, each in the place of an earlier one at the same period.

    `frozen`: nothing is lowered, for an alert about data waits for a person who says whether the figures can be compared.
    """
    kept = {(k.grain, k.as_of): k for k in state.looks}
    for new in looks:
        before = kept.get((new.grain, new.as_of))
        same = before is not None and before.estimate == new.estimate
        void = before is not None and same and before.void
        answered = before is not None and before.answered
        kept[new.grain, new.as_of] = replace(new, void=void, answered=answered)
    merged = tuple(k for grain in ("day", "month") for k in _last([k for k in kept.values() if k.grain == grain], rules))
    if state.closed >= Level.OVER:  # Silent until it has been below: what comes over the line before that is answered with it.
        merged = tuple(replace(k, answered=k.answered or k.rises >= Level.OVER) for k in merged)
    state = replace(state, looks=merged, forecast=state.forecast or any(k.forecast for k in merged))
    reached = _reached(state, rules)
    if state.closed and not frozen:
        state = replace(state, closed=max(_stays(state, state.closed, rules), min(reached, state.closed)))
    if reached > max(state.level, state.closed):
        event = Event("raised", reached, state.level)
        return replace(state, level=reached, since=now, acknowledged_by=None, escalated=False), [event]
    if state.level in (Level.NONE, Level.OVER) or frozen:
        return state, []
    stays = max(_stays(state, state.level, rules), min(reached, state.level))
    if stays == state.level:
        return state, []
    if stays > state.closed:
        return replace(state, level=stays, since=now), [Event("lowered", stays, state.level)]
    return replace(state, level=Level.NONE, since=now, acknowledged_by=None, escalated=False), [Event("cleared", state.level)]


def _last(looks: list[Assessment], rules: Alerting) -> list[Assessment]:
    """Those that may still count: as many as are asked, and as many more that may say nothing."""
    most = 4 * max(rules.raise_after.day.of, rules.raise_after.month.of, 3)
    return sorted(looks, key=lambda k: k.as_of)[-most:]


def _of_grains(state: State, rules: Alerting) -> Iterator[tuple[list[Assessment], Looks]]:
    for grain, wanted in (("day", rules.raise_after.day), ("month", rules.raise_after.month)):
        if mine := [k for k in state.looks if k.grain == grain and k.counts]:
            yield mine, wanted


def _reached(state: State, rules: Alerting) -> Level:
    """The worst level that enough of the last looks reach; those that can't tell don't count as below it."""
    for level in sorted(Level, reverse=True):
        for looks, wanted in _of_grains(state, rules):
            if level == Level.OVER:  # Of any month: one that was corrected, or confirmed, after a newer one came is no less over.
                if any(k.rises >= level and not k.answered for k in looks):
                    return level
                continue
            telling = [k for k in looks if k.rises >= level or k.holds is not None][-wanted.of :]
            if level and sum(k.rises >= level for k in telling) >= wanted.agree:
                return level
    return Level.NONE


def _stays(state: State, level: Level, rules: Alerting) -> Level:
    """The level that a level falls to, if it does: the worst one that enough of the last looks don't lie below."""
    while level > Level.NONE and _below(state, level, rules):
        level = Level(level - 1)
    return level


def _below(state: State, level: Level, rules: Alerting) -> bool:
    agreed = []
    for looks, wanted in _of_grains(state, rules):
        telling = [k for k in looks if k.holds is not None and (k.forecast or not state.forecast)][-wanted.of :]
        if telling:
            agreed.append(sum(k.holds is not None and k.holds < level for k in telling) >= wanted.agree)
    return bool(agreed) and all(agreed)


def data_incident(state: State, here: Collection[str], judged: Callable[[str], bool], now: datetime) -> Step:
    """Take in what an alert about data is about now. Subjects that weren't `judged` stay as they are."""
    here = set(here)
    stay = [s for s in state.subjects if s in here or not judged(s)]
    settled = tuple(s for s in state.settled if s in here or not judged(s))
    confirmed = tuple(s for s in state.confirmed if s in settled)
    new = sorted(here - set(stay) - set(settled))
    after = replace(state, subjects=tuple(sorted([*stay, *new])), settled=settled, confirmed=confirmed)
    if new:
        after = replace(after, since=now, acknowledged_by=None, escalated=False)
        return after, [Event("found", subjects=tuple(new))]
    if state.subjects and not stay:
        after = replace(after, since=now, acknowledged_by=None, escalated=False)
        return after, [Event("ended", subjects=state.subjects)]
    return after, []


def escalate(state: State, now: datetime, rules: Alerting, told: datetime | None = None) -> Step:
    """One step further once nobody has acknowledged for long enough: since somebody was first told, where `told` says when."""
    if not state.is_open or state.acknowledged_by or state.escalated or state.since is None:
        return state, []
    since = state.since if told is None else max(state.since, told)
    if now < since + timedelta(days=rules.escalate_after):
        return state, []
    return replace(state, escalated=True), [Event("escalated", state.level, state.level, state.subjects)]


def withdraw(state: State, now: datetime) -> Step:
    """Ends what no reading of record asks any more; nothing of it is remembered."""
    return State(since=now), [Event("set_aside", state.level, state.level, state.subjects)]


def acknowledge(state: State, by: str) -> Step:
    """Somebody has seen it; a worse level, or a new subject, voids that."""
    return replace(state, acknowledged_by=by), [Event("acknowledged", state.level, state.level, state.subjects)]


def close(state: State, reason: str, now: datetime) -> Step:
    """A named person ends it. Up to the level that was closed it stays silent until the figure has fallen below that level;
    a figure that was wrong says nothing, and the next one may raise it at once."""
    event = Event("closed", state.level, state.level, state.subjects)
    after = replace(state, level=Level.NONE, subjects=(), since=now, acknowledged_by=None, escalated=False)
    if state.subjects:
        settled = tuple(sorted({*state.settled, *state.subjects}))
        confirmed = tuple(sorted({*state.confirmed, *(state.subjects if reason == "confirmed" else ())}))
        return replace(after, settled=settled, confirmed=confirmed), [event]
    if reason == "measured_wrongly":
        return replace(after, looks=tuple(replace(k, void=True) for k in state.looks)), [event]
    answered = tuple(replace(k, answered=True) if k.rises >= Level.OVER else k for k in state.looks)
    return replace(after, closed=max(state.closed, state.level), looks=answered), [event]
