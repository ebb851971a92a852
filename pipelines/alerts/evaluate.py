"""Looking at what is published: what alerts follow from it, in the transaction that publishes it.

Only the months of the present are looked at, under the reading of record alone; all that they rest on is read from the store,
so a look that comes again changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from affiliates.manifests.group import Group
from affiliates.manifests.model_use import ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, add_months, local_day, month_before, month_end, month_number, month_of
from pipelines.alerts import expectations, rules, state
from pipelines.alerts.expectations import Outlook
from pipelines.alerts.messages import About
from pipelines.alerts.recorder import AlertRecorder
from pipelines.alerts.rules import Rule
from pipelines.alerts.state import Event, Level, Situation
from pipelines.forecasting import history
from pipelines.forecasting.series import Point
from pipelines.licences import grants, release_tests
from pipelines.licences.registry import Registry
from pipelines.records import PublishedMonth
from pipelines.store import published_figures
from pipelines.store.alert_log import AlertKey, Transition
from pipelines.store.contributions import ContributionStore
from pipelines.store.engine import Store

PRESENT = timedelta(days=100)
"""How long after its end a settled month is still looked at: older ones are a matter of licence tests."""
_BACK = 40
"""Months of the past that are read, for steps and forecasts."""

MISSING = AlertKey("missing_data")
FAILED = AlertKey("failed_run")
RUN = "mauwatch run"
"""The whole of it, beside Dagster's jobs."""
Forecast = Callable[[Sequence[Point], int], Outlook | None]


@dataclass(frozen=True)
class RunFacts:
    """What a whole run found that isn't in the store."""

    missing: Sequence[str] | None = None
    """Products (affiliate/product) of which days are over, settled and missing; null where only some days were looked at."""
    refused: Sequence[str] = ()
    """Products whose sources were refused."""


def evaluate(
    store: Store,
    group: Group,
    known: Registry,
    now: datetime,
    whole: bool = False,
    facts: RunFacts | None = None,
    forecast: Forecast = expectations.probabilities,
) -> None:
    """Take in what is published now; all in one transaction, which is the store's own if it has begun one.

    `whole`: all that can be is published, so a month that isn't is missing. Raises `RefusedError` for what alerts.yaml can't
    watch.
    """
    with store.writing() as connection:
        _Look(ContributionStore(store.engine, connection, writes=True), group, known, now, forecast).take(whole, facts)


def about(store: Store, group: Group, known: Registry, now: datetime, of: Transition) -> About:
    """What there is to say of an alert beside its last transition."""
    with store.writing() as connection:
        return _Look(
            ContributionStore(store.engine, connection, writes=True), group, known, now, expectations.probabilities
        ).about(of)


class _Look:
    """One look, within its transaction."""

    def __init__(self, store: ContributionStore, group: Group, known: Registry, now: datetime, forecast: Forecast) -> None:
        self.store = store
        self.group = group
        self.now = now
        self.forecast = forecast
        self.today = local_day(now, group.settings.time_zone)
        self.reading: Reading = group.readings.reading_on(self.today)
        self.roll = AlertRecorder(store, group, now)
        self.first = add_months(month_of(self.today), -_BACK)
        late = max((product.settles_after for product in group.products.values()), default=0)
        self.since = self.today - PRESENT - DAY * late
        self.past = self._past(None)
        self.recent = self._recent(self.past)
        days = rules.days_of(group, [p.month for p in self.recent], self.today)
        self.rules = {rule.name: rule for rule in rules.rules(group, known, days, self.reading)}
        self._points: dict[str | None, list[Point]] = {}

    def _past(self, subject: str | None) -> list[PublishedMonth]:
        return published_figures.read(self.store, self.reading, self.first, subject)

    def _recent(self, found: Sequence[PublishedMonth]) -> list[PublishedMonth]:
        return [p for p in found if month_end(p.month) >= self.since and p.month <= self.today]

    def _points_of(self, subject: str | None) -> list[Point]:
        """The months that a forecast takes for evidence, with what is no growth between them; looked up once."""
        if subject not in self._points:
            found = history.known_months(self.store, self.group, self.reading, subject, self.first)
            self._points[subject] = found.points
        return self._points[subject]

    def take(self, whole: bool, facts: RunFacts | None) -> None:
        self._set_aside()
        changed = self._data("definition_change", self._changed_definitions())
        subjects = dict.fromkeys([None, *(rule.subject for rule in self.rules.values())])
        jumped = self._data(
            "jump",
            {k: v for subject in subjects for k, v in self._jumps(subject).items()},
            lambda s: self._is_recent(s) and (s[8:] or None) in subjects,
        )
        if whole:
            named = facts.missing if facts else None
            self._found(
                MISSING, dict.fromkeys([*self._overdue(), *(named or ())], ""), lambda s: "/" not in s or named is not None
            )
        if facts is not None:
            # A run of some days doesn't say that the others are done.
            apart = "mauwatch_alerts", "mauwatch_receive"  # Jobs that no run does the work of.
            self._found(
                FAILED, dict.fromkeys(facts.refused, ""), lambda s: s == RUN or (facts.missing is not None and s not in apart)
            )
        frozen = any(self.roll.state(AlertKey(kind, "", self.reading.name)).is_open for kind in ("definition_change", "jump"))
        for rule in self.rules.values():
            of_it = [s for s in changed if _is_of(s[8:].partition(": ")[0], rule.subject)]
            of_it += [s for s in jumped if s[8:] == (rule.subject or "")]
            self._threshold(rule, {s[:7] for s in of_it}, frozen)
        for of in list(self.roll.current.values()) if self.group.alerting.channels else ():
            self.roll.tell_late(of, lambda of=of: self.about(of))  # type: ignore[misc]
            after, events = state.escalate(self.roll.state(of.key), self.now, self.group.alerting, self.roll.told(of))
            if events:
                self.roll.note(of.key, after, events, about=lambda of=of: self.about(of))  # type: ignore[misc]

    def _set_aside(self) -> None:
        """Ends what was open under another reading than today's; `over` waits for a named person all the same."""
        for key, of in list(self.roll.current.items()):
            if of.is_open and key.reading not in ("", self.reading.name) and of.level != "over":
                after, events = state.withdraw(self.roll.state(key), self.now)
                self.roll.note(key, after, events, about=lambda of=of: self.about(of))  # type: ignore[misc]

    def _data(self, kind: str, here: Mapping[str, str], judged: Callable[[str], bool] | None = None) -> list[str]:
        """Takes in what makes months unlike those before, and says which of it nobody has confirmed."""
        key = AlertKey(kind, "", self.reading.name)
        self._found(key, here, judged or self._is_recent)
        return [subject for subject in here if subject not in self.roll.state(key).confirmed]

    def _found(self, key: AlertKey, here: Mapping[str, str], judged: Callable[[str], bool]) -> None:
        after, events = state.data_incident(self.roll.state(key), here, judged, self.now)
        lines = [here[s] for e in events for s in e.subjects if here.get(s)]
        self.roll.note(key, after, events, about=lambda: self._about_data(lines))

    def _is_recent(self, subject: str) -> bool:
        return subject[:7] in {f"{p.month:%Y-%m}" for p in self.recent}

    def _jumps(self, subject: str | None) -> dict[str, str]:
        """Months too far from the one that they are compared with, and how far."""
        found = {}
        each = self.past if subject is None else self._past(subject)
        recent = self._recent(each)
        for number, p in enumerate(each):
            known = each[: number + 1]
            if (
                p in recent
                and expectations.is_jump(known, self.group.alerting.jump)
                and (before := expectations.comparison_month(known))
            ):
                if self._is_another_group(subject, before, p):
                    continue
                now = p.estimate or p.lower
                name = f"{p.month:%Y-%m} {subject or ''}".strip()
                step = now / (before.estimate or 1) - 1
                found[name] = f"{name}: {now:,} people, {step:+.1%} since {before.month:%Y-%m}"
        return found

    def _is_another_group(self, subject: str | None, before: PublishedMonth, last: PublishedMonth) -> bool:
        """Whether the manifests say why two months differ: an affiliate that joined or left, or, of a part of the group, a
        product that didn't live through both."""

        def members(month: date) -> set[str]:
            there = self.group.affiliates(month_end(month), self.reading.control_share)
            return {name for name in there if self.group.entities[name].products}

        if subject is None:
            return members(before.month) != members(last.month)
        of_it = [product for ref, product in self.group.products.items() if ref.belongs_to(subject)]
        return any(p.from_ > before.month or (p.to is not None and p.to <= month_end(last.month)) for p in of_it)

    def _changed_definitions(self) -> dict[str, str]:
        """Months in which a product called something else active than in the month before, or that were counted otherwise."""
        months = {p.month: published_figures.definitions(self.store, p.month) for p in self.recent}
        methods = {p.month: p.method for p in self.past}
        found = list[str]()
        for month, here in months.items():
            last = month_before(month)
            there = months.get(last) or (published_figures.definitions(self.store, last) if here else {})
            for product, labels in sorted(here.items()):
                new = history.new_definitions(there.get(product, labels), labels)
                found += [f"{month:%Y-%m} {product}: {label}" for label in new]
            if methods.get(last, methods[month]) != methods[month]:
                found.append(f"{month:%Y-%m} all: counted by method {methods[month]}")
        return dict.fromkeys(found, "")

    def _overdue(self) -> Iterator[str]:
        """Months that are over, have settled, and have no upper bound or no figure at all."""
        bounded = {p.month for p in self.past if p.upper is not None}
        month = month_of(self.today)
        while month_end(month := month_before(month)) >= self.since:
            last = month_end(month)
            members = self.group.affiliates(last, self.reading.control_share)
            due = [p for m in members for p in self.group.entities[m].products if p.due_between(month, last)]
            late = max((p.settles_after for p in due), default=0)
            if due and month not in bounded and self.today > last + DAY * (late + 1):
                yield f"{month:%Y-%m}"

    def _threshold(self, rule: Rule, doubted: set[str], frozen: bool) -> None:
        key = AlertKey("threshold", rule.name, self.reading.name)
        group = self.group
        situations = list[Situation]()
        for p in self.recent if rule.subject is None else self._recent(self._past(rule.subject)):
            seen = self._outlook(rule, p) if p.upper is not None else None
            year, quarter = (seen.within_year, seen.within_quarter) if seen else (None, None)
            found = Situation(
                month_end(p.month), "month", rule.threshold, p.estimate, p.lower, p.upper, year, quarter, at_least=rule.at_least
            )
            situations.append(replace(found, doubted=f"{p.month:%Y-%m}" in doubted))
        looks = [state.assess(s, group.alerting) for s in situations]
        after, events = state.advance(self.roll.state(key), looks, self.now, group.alerting, frozen)
        shown = _shown(situations, looks, events, after.level)
        as_of = shown.as_of if shown else None
        self.roll.note(key, after, events, shown, lambda: self._about_threshold(key, as_of))

    def _outlook(self, rule: Rule, p: PublishedMonth) -> Outlook | None:
        """What is expected of a rule after a month; null where that month is no evidence."""
        points = [point for point in self._points_of(rule.subject) if point.number <= month_number(p.month)]
        if not points or points[-1].number != month_number(p.month):
            return None
        return self.forecast(points, rule.threshold)

    def about(self, of: Transition) -> About:
        """What there is to say of an alert beside its last transition."""
        return self._about_threshold(of.key, of.as_of) if of.kind == "threshold" else self._about_data()

    def _about_data(self, lines: Sequence[str] = ()) -> About:
        return About(self.group.settings.group, self._is_of_record(self.reading.name), lines=lines)

    def _is_of_record(self, reading: str) -> bool:
        named = next((r for r in self.group.readings.readings if r.name == reading), None)
        return named is not None and release_tests.is_of_record(self.group, named, self.today)

    def _about_threshold(self, key: AlertKey, as_of: date | None) -> About:
        """A licence that isn't watched any more, or a reading that is gone, leaves an alert with its figures alone."""
        month = month_of(as_of) if as_of else None
        rule = self.rules.get(key.rule)
        record = self._is_of_record(key.reading)
        here = key.reading == self.reading.name
        if month is None or rule is None or not here:
            subject = key.rule.partition(" ")[2] or None
            return About(self.group.settings.group, record, whose=subject, aside=None if here else self.reading.name)
        subject = rule.subject
        at_month = next((p for p in self._past(rule.subject) if p.month == month), None)
        seen = self._outlook(rule, at_month) if at_month and at_month.upper is not None else None
        found = published_figures.products(self.store, self.reading, month)
        return About(
            self.group.settings.group,
            record,
            whose=subject,
            crossing=seen.crossing if seen else None,
            today=self.today,
            products=[(ref, users) for ref, users in found if subject is None or ref.belongs_to(subject)],
            tested_by=rule.tested_by(month),
            uses=[_used(*use) for use in self._uses(rule)],
        )

    def _uses(self, rule: Rule) -> Iterator[grants.Use]:
        for used in grants.uses(self.group, self.today):
            if used.model.model in rule.ids and (rule.subject is None or used.ref.belongs_to(rule.subject)):
                yield used


def _is_of(product: str, subject: str | None) -> bool:
    """Whether a product's definition is one of a subject's; `all` is everybody's."""
    return subject is None or product == "all" or ProductRef.parse(product).belongs_to(subject)


def _used(ref: ProductRef, use: ModelUse) -> str:
    """A product's use of a model, with what rests on it and what leaving it costs."""
    said = [f"{ref} uses {use.model}"]
    if use.revenue:
        share = f", {float(use.revenue_share * 100):g} % of it by the model" if use.revenue_share else ""
        said.append(f"revenue {use.revenue.amount:,} {use.revenue.currency} in {use.revenue.year}{share}")
    else:
        said.append("its revenue isn't said")
    if use.switching_cost:
        said.append(f"switching costs {use.switching_cost.amount:,} {use.switching_cost.currency}")
    else:
        said.append("the cost of switching isn't said")
    if use.alternative:
        said.append(f"alternative: {use.alternative}")
    return "; ".join(said)


def _shown(
    situations: Sequence[Situation], looks: Sequence[state.Assessment], events: Sequence[Event], level: Level
) -> Situation | None:
    """The newest situation that speaks for what has happened; of what stays over, the newest that is."""
    reached = events[0].level if events and events[0].action == "raised" else Level.NONE
    if not events and level == Level.OVER:
        reached = Level.OVER
    for speaks in (lambda k: k.rises >= reached > Level.NONE, lambda k: k.holds is not None, lambda k: True):
        for s, k in zip(reversed(situations), reversed(looks), strict=True):
            if speaks(k) and not s.doubted:
                return s
    return situations[-1] if situations else None
