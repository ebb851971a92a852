"""An alert's level, and all else that can happen to one alert: a state machine. Pure.

`assess` says what one period's published figure means for the level; `advance` decides the level from the last assessments. An
assessment says "at least this level", "not below that level", both, or nothing. An open month can't show that the figure is
below a level. A month that can't be compared with the month before shows nothing but `over`: a lower bound needs no comparison.
So missing data never clear an alert, and a changed definition neither clears an alert nor raises one to a lower level.

A level is raised once enough of the last assessments reach the level. A level is lowered once enough of them lie below the
level's lower line. `over` needs one assessment, and only a named person ends `over`.

Over 300 lines: a state and all that may happen to it are read together.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from affiliates.manifests.alert_settings import Alerting, Looks
from affiliates.periods import month_of

Grain = Literal["day", "month"]
"""The length of the period that a figure is about."""
Action = Literal["raised", "lowered", "cleared", "found", "ended", "escalated", "acknowledged", "closed", "set_aside"]
"""What happened to an alert, in the store's words. An alert about data is `found` and `ended`."""


class Level(IntEnum):
    """How near the threshold is; every level is worse than the one before."""

    NONE = 0
    WATCH = 1
    PREPARE = 2
    ACT = 3
    OVER = 4

    @property
    def word(self) -> str:
        """The level as alerts.yaml, the store and messages write the level."""
        return self.name.lower()


REASONS = {
    "granted": "a licence was granted",
    "migrated": "the models are out of use",
    "not_applicable": "the clause doesn't apply to the group, as counsel says",
    "measured_wrongly": "the figure was wrong",
    "confirmed": "the change is real: the figure counts as it is",
    "not_comparable": "the figure can't be compared with the ones before: it shows no growth, and no fall",
    "accepted": "it is known, and stays as it is",
}
"""Why a named person closes an alert."""
REASONS_BY_KIND = {
    "threshold": ("granted", "migrated", "not_applicable", "measured_wrongly"),
    "definition_change": ("confirmed", "not_comparable"),
    "jump": ("confirmed", "not_comparable"),
    "missing_data": ("accepted",),
    "unusual_data": ("accepted",),
    "failed_run": ("accepted",),
}
"""The reasons that fit a kind of alert."""


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
    """Probability that the threshold is passed within three months."""
    doubted: bool = False
    """The figure can't be compared with the period before: another definition, or a step that is too large."""
    at_least: bool = False
    """Whether a figure equal to the threshold is over the threshold."""

    def is_over(self, users: float, part: float = 1.0) -> bool:
        """Whether so many users are over this part of the threshold."""
        return users >= self.threshold * part if self.at_least else users > self.threshold * part


# The store keeps the fields of Assessment and State as JSON, by these names: a field that is renamed needs its old name as alias.
@dataclass(frozen=True)
class Assessment:
    """What one period's figure means for an alert's level."""

    as_of: date
    """The period's last day."""
    grain: Grain
    rises: Level
    """The worst level whose line the figure reaches."""
    holds: Level | None
    """The worst level whose lower line the figure isn't below; null where the figure has no upper bound, so can't show that."""
    forecast: bool
    """Whether there were probabilities."""
    doubted: bool
    """The figure can't be compared with the period before."""
    estimate: int | None
    """People; tells a corrected figure from the same figure assessed again."""
    void: bool = False
    """A named person has said that this figure was wrong."""
    answered: bool = False
    """A named person has closed an alert that this figure had raised to `over`."""

    @property
    def counts(self) -> bool:
        """Whether the assessment may raise or lower every level."""
        return not (self.doubted or self.void)

    @property
    def is_over(self) -> bool:
        """Whether the assessment raises `over`, doubted or not: what a lower bound shows needs no other month."""
        return self.rises >= Level.OVER and not (self.void or self.answered)


@dataclass(frozen=True)
class State:
    """One alert as it stands; the memory that the next evaluation starts from."""

    level: Level = Level.NONE
    subjects: tuple[str, ...] = ()
    """Of an alert about data: what the alert is about. The alert is open while there are any."""
    since: datetime | None = None
    """When the level or the subjects last changed."""
    acknowledged_by: str | None = None
    escalated: bool = False
    """Whether the channels for escalation were told."""
    closed: Level = Level.NONE
    """The worst level that a named person has closed: the alert is silent up to that level until the figure falls below it."""
    settled: tuple[str, ...] = ()
    """Subjects that a named person has closed."""
    confirmed: tuple[str, ...] = ()
    """The settled subjects whose change is real."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """By subject how large it was, where that is known: of an open one at the last look, of a settled one when it was closed."""
    forecast: bool = False
    """Whether there has been a forecast: from then on assessments without a forecast lower nothing."""
    assessments: Annotated[tuple[Assessment, ...], Field(alias="looks")] = ()
    """The last assessments, days before months, each grain in order of time."""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to act."""
        return self.level > Level.NONE or bool(self.subjects)


_STATE_AS_JSON = TypeAdapter(State)


def to_text(state: State) -> str:
    """A state as JSON, as the store keeps a state."""
    return _STATE_AS_JSON.dump_json(state, by_alias=True).decode()


def from_text(text: str) -> State:
    """The state that `to_text` was given."""
    return _STATE_AS_JSON.validate_json(text)


@dataclass(frozen=True)
class Event:
    """Something that happened to an alert, and that somebody may have to be told."""

    action: Action
    level: Level = Level.NONE
    """The level from now on; of an alert that was cleared or closed, the level before."""
    before: Level = Level.NONE
    subjects: tuple[str, ...] = ()
    """The new subjects; of an alert that has ended, the subjects that it had."""
    reached: Level = Level.NONE
    """Of an alert that was cleared: the level that the figure still reaches, and that a named person has closed."""


StepResult = tuple[State, list[Event]]
"""The state after a step, and what happened in the step."""


def assess(situation: Situation, alerting: Alerting) -> Assessment:
    """What one period's figure means for the level, by the lines in alerts.yaml."""
    rises = Level.NONE
    if situation.estimate is not None:
        rises = max((level for level, met in _lines_met(situation, alerting, 1.0, 1.0) if met), default=Level.NONE)
    elif situation.lower is not None and situation.is_over(situation.lower):  # What is over needs no estimate.
        rises = Level.OVER
    holds = None
    # Without an upper bound something is missing: the figure can only grow, and being below a line shows nothing.
    if situation.estimate is not None and situation.upper is not None:
        # Lines lower by a band of 4 % unless alerts.yaml says otherwise. Of 410 lines through real series that wobble, 58 flip
        # more than twice in six quarters at 2.5 %, and none at 4 %.
        lower_lines = _lines_met(situation, alerting, 1 - alerting.band, 1 - alerting.probability_band)
        holds = max((level for level, met in lower_lines if met), default=Level.NONE)
        if situation.is_over(situation.upper, 1 - alerting.band):
            holds = Level.OVER
    has_forecast = situation.within_year is not None
    return Assessment(situation.as_of, situation.grain, rises, holds, has_forecast, situation.doubted, situation.estimate)


def _lines_met(situation: Situation, alerting: Alerting, line: float, odds: float) -> Iterator[tuple[Level, bool]]:
    """Every level, and whether the situation reaches the level's line.

    `line` and `odds` are factors up to 1 that lower the lines of figures and of probabilities.
    """
    estimate = situation.estimate or 0
    threshold = situation.threshold
    year = situation.within_year or 0.0
    quarter = situation.within_quarter or 0.0
    shares = alerting.shares
    chances = alerting.probabilities
    upper_is_over = situation.upper is not None and situation.is_over(situation.upper, line)
    yield Level.WATCH, year >= chances.watch * odds or estimate >= shares.watch * threshold * line
    yield Level.PREPARE, year >= chances.prepare * odds or estimate >= shares.prepare * threshold * line or upper_is_over
    yield Level.ACT, quarter >= chances.act * odds or estimate >= shares.act * threshold * line
    # As a licence test: over is what the lower bound shows. The lower line of `over` is for the upper bound, in `assess`.
    yield Level.OVER, line == 1 and situation.is_over(situation.lower or 0)


def advance(
    state: State, assessments: Iterable[Assessment], now: datetime, alerting: Alerting, frozen: bool = False
) -> StepResult:
    """The state with new assessments taken in: raised, lowered, cleared, or at the level that it had.

    A new assessment takes the place of an earlier one of the same period, so the same assessment again changes nothing.
    `frozen`: nothing is lowered, because an alert about data waits for a person who says whether the figures can be compared.
    """
    state = _with_assessments(state, assessments, alerting)
    reached = _reached(state, alerting)
    if state.closed and not frozen:
        state = replace(state, closed=max(_supported(state, state.closed, alerting), min(reached, state.closed)))
    if reached > max(state.level, state.closed):
        # A worse level voids an acknowledgement: whoever has seen `watch` hasn't seen `act`.
        event = Event("raised", reached, state.level)
        return replace(state, level=reached, since=now, acknowledged_by=None, escalated=False), [event]
    if state.level in (Level.NONE, Level.OVER) or frozen:
        return state, []
    supported = max(_supported(state, state.level, alerting), min(reached, state.level))
    if supported == state.level:
        return state, []
    # A level that a person has closed isn't news: the alert ends instead of being lowered to that level.
    if supported > state.closed:
        return replace(state, level=supported, since=now), [Event("lowered", supported, state.level)]
    return replace(state, level=Level.NONE, since=now, acknowledged_by=None, escalated=False), [
        Event("cleared", state.level, state.level, reached=supported)
    ]


def without_coming(state: State, today: date) -> State:
    """The state without assessments of periods that haven't begun: they were made while a clock was ahead."""
    begun = tuple(a for a in state.assessments if (month_of(a.as_of) if a.grain == "month" else a.as_of) <= today)
    return replace(state, assessments=begun)


def _with_assessments(state: State, new: Iterable[Assessment], alerting: Alerting) -> State:
    """The state with new assessments in the place of the earlier ones of the same periods, and without those too old to count."""
    by_period = {(known.grain, known.as_of): known for known in state.assessments}
    for assessment in new:
        before = by_period.get((assessment.grain, assessment.as_of))
        # What a person said about a figure holds for that figure: a corrected one isn't void any more.
        is_same_figure = before is not None and before.estimate == assessment.estimate
        void = before is not None and is_same_figure and before.void
        answered = before is not None and before.answered
        by_period[assessment.grain, assessment.as_of] = replace(assessment, void=void, answered=answered)
    merged = tuple(
        assessment
        for grain in ("day", "month")
        for assessment in _latest([known for known in by_period.values() if known.grain == grain], alerting)
    )
    if state.closed >= Level.OVER:  # Silent until the figure was below: what comes over the line before that is answered too.
        merged = tuple(replace(known, answered=known.answered or known.rises >= Level.OVER) for known in merged)
    return replace(state, assessments=merged, forecast=state.forecast or any(known.forecast for known in merged))


def _latest(assessments: list[Assessment], alerting: Alerting) -> list[Assessment]:
    """The assessments that may still count, in order of time: four times as many as are asked, since some may show nothing."""
    most = 4 * max(alerting.raise_after.day.of, alerting.raise_after.month.of, 3)
    return sorted(assessments, key=lambda assessment: assessment.as_of)[-most:]


def _counting_by_grain(state: State, alerting: Alerting) -> Iterator[tuple[list[Assessment], Looks]]:
    """For each grain that has any: the assessments that count, and how many of how many have to agree."""
    for grain, wanted in (("day", alerting.raise_after.day), ("month", alerting.raise_after.month)):
        if counting := [known for known in state.assessments if known.grain == grain and known.counts]:
            yield counting, wanted


def _reached(state: State, alerting: Alerting) -> Level:
    """The worst level that enough of the last assessments reach; those that show nothing don't count as below the level."""
    # Of any month: one that was corrected, or confirmed, after a newer one came is no less over.
    if any(known.is_over for known in state.assessments):
        return Level.OVER
    for level in sorted(set(Level) - {Level.OVER}, reverse=True):
        for assessments, wanted in _counting_by_grain(state, alerting):
            telling = [known for known in assessments if known.rises >= level or known.holds is not None][-wanted.of :]
            if level and sum(known.rises >= level for known in telling) >= wanted.agree:
                return level
    return Level.NONE


def _supported(state: State, level: Level, alerting: Alerting) -> Level:
    """The worst level, from this one downwards, that the last assessments don't agree to lie below."""
    while level > Level.NONE and _is_below(state, level, alerting):
        level = Level(level - 1)
    return level


def _is_below(state: State, level: Level, alerting: Alerting) -> bool:
    """Whether enough of the last assessments lie below a level's lower line, in every grain that shows anything."""
    agreed = []
    for assessments, wanted in _counting_by_grain(state, alerting):
        # Once there was a forecast, an assessment without one isn't below: its reason couldn't be computed.
        telling = [
            (known, known.holds) for known in assessments if known.holds is not None and (known.forecast or not state.forecast)
        ][-wanted.of :]
        if telling:
            agreed.append(sum(holds < level for _, holds in telling) >= wanted.agree)
    return bool(agreed) and all(agreed)


def data_incident(
    state: State,
    subjects: Collection[str],
    was_judged: Callable[[str], bool],
    now: datetime,
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> StepResult:
    """The state of an alert about data, now that these subjects are wrong: a new subject is `found`, the last one gone `ended`.

    Subjects that weren't judged this time stay as they are: a run of some days says nothing about the others. A settled subject
    that is larger than when it was settled (`sizes`, in people) is a new one.
    """
    wrong = set(subjects)
    stay = [subject for subject in state.subjects if subject in wrong or not was_judged(subject)]
    has_grown = {subject for subject in state.settled if sizes.get(subject, 0) > state.sizes.get(subject, sizes.get(subject, 0))}
    settled = tuple(s for s in state.settled if s not in has_grown and (s in wrong or not was_judged(s)))
    confirmed = tuple(subject for subject in state.confirmed if subject in settled)
    new = sorted(wrong - set(stay) - set(settled))
    now_open = tuple(sorted([*stay, *new]))
    known = {**sizes, **{s: size for s, size in state.sizes.items() if s in settled or s not in sizes}}
    noted = {subject: size for subject, size in sorted(known.items()) if subject in now_open or subject in settled}
    after = replace(state, subjects=now_open, settled=settled, confirmed=confirmed, sizes=noted)
    if new:
        # Whoever has seen the other subjects hasn't seen this one.
        after = replace(after, since=now, acknowledged_by=None, escalated=False)
        return after, [Event("found", subjects=tuple(new))]
    if state.subjects and not stay:
        after = replace(after, since=now, acknowledged_by=None, escalated=False)
        return after, [Event("ended", subjects=state.subjects)]
    return after, []


def withdraw(state: State, now: datetime) -> StepResult:
    """End an alert of a reading that isn't of record any more; nothing of the alert is remembered."""
    return State(since=now), [Event("set_aside", state.level, state.level, state.subjects)]


def acknowledge(state: State, by: str) -> StepResult:
    """Note that somebody has seen the alert; a worse level, or a new subject, voids that."""
    return replace(state, acknowledged_by=by), [Event("acknowledged", state.level, state.level, state.subjects)]


def close(state: State, reason: str, now: datetime) -> StepResult:
    """End an alert in a person's name, for one of `REASONS`.

    Up to the level that was closed the alert stays silent until the figure has fallen below that level. After
    `measured_wrongly` the figures so far count for nothing, and the next one may raise the alert at once.
    """
    event = Event("closed", state.level, state.level, state.subjects)
    after = replace(state, level=Level.NONE, subjects=(), since=now, acknowledged_by=None, escalated=False)
    if state.subjects:  # An alert about data: the same subjects stay silent for as long as they are wrong.
        settled = tuple(sorted({*state.settled, *state.subjects}))
        confirmed = tuple(sorted({*state.confirmed, *(state.subjects if reason == "confirmed" else ())}))
        return replace(after, settled=settled, confirmed=confirmed), [event]
    if reason == "measured_wrongly":
        return replace(after, assessments=tuple(replace(known, void=True) for known in state.assessments)), [event]
    # Else a month that is over would raise the alert again as soon as the figure of another month had fallen below.
    answered = tuple(replace(known, answered=True) if known.rises >= Level.OVER else known for known in state.assessments)
    return replace(after, closed=max(state.closed, state.level), assessments=answered), [event]
