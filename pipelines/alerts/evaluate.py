"""Evaluating what is published: which alerts follow from it, in the transaction that publishes it.

Only recent months are evaluated, under the reading of record alone; outlooks are published under each reading. All that they rest
on is read from the store, so the same evaluation again changes nothing. What a figure means for a level, and what the level is
then, `state` decides.

Over 300 lines: each kind of alert has its own function, and all run in one transaction.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from affiliates.errors import Refusal, unforeseen_into
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, local_day, month_end, month_from_number, month_of
from pipelines.alerts import data_alerts, escalation, messages, rules, state
from pipelines.alerts.data_alerts import MonthSubject
from pipelines.alerts.messages import About
from pipelines.alerts.recent_months import RecentMonths
from pipelines.alerts.recorder import AlertRecorder
from pipelines.alerts.rules import Rule
from pipelines.alerts.state import Assessment, Event, Level, Situation
from pipelines.alerts.unusual_data import UNUSUAL
from pipelines.figures import data_findings
from pipelines.figures.published_inputs import PublishedInputs
from pipelines.forecasting import history, outlook
from pipelines.forecasting.history import KnownMonths
from pipelines.licences import grants, release_tests
from pipelines.licences.registry import Registry
from pipelines.records import PublishedMonth
from pipelines.store import published_figures
from pipelines.store.alert_log import AlertKey, Transition
from pipelines.store.contributions import ContributionStore
from pipelines.store.engine import Store
from pipelines.store.outlooks import PublishedOutlook

MISSING = AlertKey("missing_data")
"""The alert about products and months whose data are missing."""
FAILED = AlertKey("failed_run")
"""The alert about products that were refused, and jobs that failed."""
RUN = "mauwatch run"
"""A whole run, as a subject beside Dagster's jobs."""
_JOBS_OF_THEIR_OWN = ("mauwatch_alerts", "mauwatch_receive")
"""Jobs whose work no run does, so that no run ends the alert of their failure."""


@dataclass(frozen=True)
class RunFacts:
    """What a run came upon that isn't in the store."""

    missing: Mapping[str, Sequence[date]] | None = None
    """By product (affiliate/product), the days that are missing, in order; null where only some days were run."""
    refused: Sequence[str] = ()
    """Products whose sources were refused, as the alert names them: of a run of some days with these days."""
    covers: Callable[[str], bool] = lambda _: False
    """Of a run of some days: whether it shows that what a failure was about is done."""


def evaluate(
    store: Store,
    group: Group,
    known: Registry,
    now: datetime,
    whole: bool = False,
    facts: RunFacts | None = None,
    inputs: PublishedInputs | None = None,
) -> list[Refusal]:
    """Record what follows from what is published now; all in one transaction, the store's own if the store has begun one.

    `whole`: all that can be is published, so a month that isn't is missing. `inputs`: what this run has seen of publications'
    inputs. Gives the errors of forecasts that nobody foresaw: a
    level then goes by the figure alone. Raises `RefusedError` for what alerts.yaml can't watch.
    """
    with store.writing() as connection:
        within = ContributionStore(store.engine, connection, writes=True)
        evaluation = _Evaluation(within, group, known, now, inputs)
        evaluation.run(whole, facts)
        return list(dict.fromkeys(evaluation.errors))


def about(store: Store, group: Group, known: Registry, now: datetime, alert: Transition) -> About:
    """What there is to say of an alert beside its last transition."""
    with store.writing() as connection:
        within = ContributionStore(store.engine, connection, writes=True)
        return _Evaluation(within, group, known, now).about(alert)


class _Evaluation:
    """One evaluation, within its transaction."""

    def __init__(
        self, store: ContributionStore, group: Group, known: Registry, now: datetime, inputs: PublishedInputs | None = None
    ) -> None:
        self.store = store
        self.group = group
        self._inputs = inputs or PublishedInputs()
        self.now = now
        self.lead_times = group.alerting.lead_times.model_dump()
        self.today = local_day(now, group.settings.time_zone)
        self.reading: Reading = group.readings.reading_on(self.today)
        self.recorder = AlertRecorder(store, group, now)
        self.months = RecentMonths(store, group, self.reading, self.today)
        days = rules.days_of(group, [past.month for past in self.months.recent()], self.today)
        self.rules = {rule.name: rule for rule in rules.rules(group, known, days, self.reading)}
        self.errors = list[Refusal]()
        """Of forecasts, which nobody foresaw."""
        self._doubted: dict[str, set[str]] = {}
        """By a rule's name, the months (YYYY-MM) that can't be compared with those before."""
        self._known: dict[tuple[str, str | None], KnownMonths] = {}
        self._newest_clause = release_tests.llama_releases(known)[-1].clause

    def run(self, whole: bool, facts: RunFacts | None) -> None:
        """First the data, then the thresholds, then who still has to be told."""
        self._withdraw_other_readings()
        # Data first: a month that can't be compared mustn't lower a level, or raise any but `over`.
        self._doubted = self._doubted_months()
        if whole:
            # Beside a run the store alone is asked, and a day later: the morning's run has had its turn by then.
            missing = data_findings.read_missing(self.store, self.group, self.now - DAY) if facts is None else facts.missing
            self._record_missing(missing)
        if facts is not None:
            self._record_refused(facts)
        # Open alerts of earlier months count, too: nobody has said yet from which figure on months can be compared.
        # A product that has stood still, or has lost its users, lowers the figure without a word: no level follows it down.
        waiting = [AlertKey(kind, "", self.reading.name) for kind in ("definition_change", "jump")]
        frozen = any(self.recorder.state_of(key).is_open for key in [*waiting, UNUSUAL])
        for rule in self.rules.values():
            self._record_threshold(rule, self._doubted[rule.name], frozen)
        self._publish_outlook(whole)
        if self.group.alerting.channels:  # Without any nobody can be told, and an alert's days to escalation don't begin.
            self._tell_late()

    def _withdraw_other_readings(self) -> None:
        """End what was open under another reading than today's; `over` waits for a named person all the same."""
        for key, alert in list(self.recorder.current.items()):
            if alert.is_open and key.reading not in ("", self.reading.name) and alert.level != "over":
                after, events = state.withdraw(self.recorder.state_of(key), self.now)
                self.recorder.record(key, after, events, about=partial(self.about, alert))

    def _doubted_months(self) -> dict[str, set[str]]:
        """Record changed definitions and jumps; by a rule's name, the months (YYYY-MM) that aren't believed for that rule."""
        changes = self._with_thresholds(dict.fromkeys(data_alerts.changed_definitions(self.store, self.months), ""))
        changed = self._record_unlike_months("definition_change", changes, self._is_recent)
        subjects = dict.fromkeys([None, *(rule.subject for rule in self.rules.values())])
        jumps = dict[str, str]()
        for subject in subjects:
            jumps |= data_alerts.jumps(self.months, self.group, self.reading, subject)
        # A subject that no rule asks about today wasn't looked for, so its jump isn't over.
        jumped = self._record_unlike_months(
            "jump",
            self._with_thresholds(jumps),
            lambda text: self._is_recent(text) and (MonthSubject.from_text(text).rest or None) in subjects,
        )
        return {
            rule.name: {change.month for change in changed if data_alerts.is_about(change.rest.partition(": ")[0], rule.subject)}
            | {jump.month for jump in jumped if jump.rest == (rule.subject or "")}
            for rule in self.rules.values()
        }

    def _with_thresholds(self, lines: Mapping[str, str]) -> dict[str, str]:
        """The lines about months that aren't believed, each with the thresholds that the month's lower bound is over.

        `over` goes to channels of counsel alone; whoever has to look at the data hears here why that hurries.
        """
        told = dict(lines)
        for rule in self.rules.values():
            for past in self.months.recent(rule.subject):
                if not (past.lower > rule.threshold or (rule.at_least and past.lower == rule.threshold)):
                    continue
                for subject in lines:
                    about = MonthSubject.from_text(subject)
                    product = about.rest.partition(": ")[0]
                    is_same = product == (rule.subject or "") or ("/" in product and data_alerts.is_about(product, rule.subject))
                    if about.month == f"{past.month:%Y-%m}" and is_same:
                        passed = (
                            f"if the figure is right, it is over the threshold of {rule.name}: at least {past.lower:,} people"
                        )
                        told[subject] = f"{told[subject] or subject}; {passed}"
        return told

    def _record_unlike_months(self, kind: str, lines: Mapping[str, str], was_judged: Callable[[str], bool]) -> list[MonthSubject]:
        """Record the months that are unlike those before; gives those whose change nobody has confirmed."""
        key = AlertKey(kind, "", self.reading.name)
        self._record_data(key, lines, was_judged)
        confirmed = self.recorder.state_of(key).confirmed
        return [MonthSubject.from_text(text) for text in lines if text not in confirmed]

    def _record_missing(self, missing: Mapping[str, Sequence[date]] | None) -> None:
        """Record overdue months, and products with missing days where it is known which those are."""
        overdue = data_alerts.overdue(self.months, self.group, self.reading)
        lines = {month: f"{month}: is over, and has no upper bound" for month in overdue}
        lines |= data_alerts.missing_days(missing or {}, self.group)
        self._record_data(MISSING, lines, lambda text: "/" not in text or missing is not None)

    def _record_refused(self, facts: RunFacts) -> None:
        """Record refused products. A run of some days doesn't say that other days, and other jobs, are done."""
        is_whole = facts.missing is not None  # Only a run of all days has looked for missing ones.
        self._record_data(
            FAILED,
            dict.fromkeys(facts.refused, ""),
            lambda text: text not in _JOBS_OF_THEIR_OWN if is_whole else facts.covers(text),
        )

    def _record_data(self, key: AlertKey, lines: Mapping[str, str], was_judged: Callable[[str], bool]) -> None:
        """Record an alert about data; `lines`: by subject, a line that says more in the message, empty where there is none."""
        after, events = state.data_incident(self.recorder.state_of(key), lines, was_judged, self.now)
        self.recorder.record(key, after, events, about=lambda: self._about_data(lines))

    def _is_recent(self, subject: str) -> bool:
        return MonthSubject.from_text(subject).month in {f"{past.month:%Y-%m}" for past in self.months.recent()}

    def _record_threshold(self, rule: Rule, doubted: Collection[str], frozen: bool) -> None:
        """Assess a rule's recent months, and record the level that follows."""
        key = AlertKey("threshold", rule.name, self.reading.name)
        situations = list[Situation]()
        for month in self.months.recent(rule.subject):
            expected = self._outlook(rule, month) if month.upper is not None else None
            situations.append(
                Situation(
                    month_end(month.month),
                    "month",
                    rule.threshold,
                    month.estimate,
                    month.lower,
                    month.upper,
                    within_year=expected.within_year if expected else None,
                    within_quarter=expected.within_quarter if expected else None,
                    doubted=f"{month.month:%Y-%m}" in doubted,
                    at_least=rule.at_least,
                )
            )
        assessments = [state.assess(situation, self.group.alerting) for situation in situations]
        before = state.without_coming(self.recorder.state_of(key), self.today)
        after, events = state.advance(before, assessments, self.now, self.group.alerting, frozen)
        shown = _situation_to_show(situations, assessments, events, after.level)
        as_of = shown.as_of if shown else None
        self.recorder.record(key, after, events, shown, lambda: self._about_threshold(key, as_of))

    def _tell_late(self) -> None:
        """Tell channels that were named only later, and those for escalation where nobody has acknowledged for long enough."""
        for alert in list(self.recorder.current.values()):
            tell = partial(self.about, alert)
            self.recorder.send_late(alert, tell)
            first_sent = self.recorder.first_sent(alert)
            after, events = escalation.escalate(self.recorder.state_of(alert.key), self.now, self.group.alerting, first_sent)
            if events:
                self.recorder.record(alert.key, after, events, about=tell)

    def _outlook(self, rule: Rule, month: PublishedMonth) -> PublishedOutlook | None:
        """What is expected of a rule after a month; null where that month is no evidence, or where the forecast has failed."""
        return self._published(rule.subject, rule.threshold, month.month, rule.name)

    def _publish_outlook(self, whole: bool) -> None:
        """Publish what `mauwatch forecast` is asked by default, whether or not a rule asks the same: pages show that.

        Under the other readings once a run, when all months are published: a page shows whichever reading is chosen.
        """
        threshold = self._newest_clause.threshold
        # A month that is published long after its end, as in a first run, is one of many: the last evaluation is of all.
        if threshold is None or not (whole or self.months.recent()):
            return
        for reading in self.group.readings.readings if whole else [self.reading]:
            asked = "the newest licence's threshold" + ("" if reading == self.reading else f", reading {reading.name}")
            with unforeseen_into(f"the forecast of {asked}", self.errors.append):
                if points := self._known_months(None, reading).points:
                    self._published(None, threshold, month_from_number(points[-1].number), asked, reading)

    def _published(
        self, subject: str | None, threshold: int, month: date, asked: str, reading: Reading | None = None
    ) -> PublishedOutlook | None:
        """The outlook after a month as it is published, in this transaction where it isn't yet; by default of today's reading."""
        read = reading or self.reading
        # The figure is published in this transaction: a forecast that fails mustn't keep the figure, and `over`, from anybody.
        with unforeseen_into(f"the forecast of {asked}", self.errors.append):
            known = self._known_months(subject, read)
            return outlook.published(self.store, read.name, subject, known, threshold, month, self.lead_times, self.now)
        return None

    def _known_months(self, subject: str | None, reading: Reading) -> KnownMonths:
        """The months that a forecast takes for evidence, with what is no growth between them; read once."""
        key = reading.name, subject
        if key not in self._known:
            self._known[key] = history.known_months(self.store, self.group, reading, subject)
        return self._known[key]

    def about(self, alert: Transition) -> About:
        """What there is to say of an alert beside its last transition."""
        return self._about_threshold(alert.key, alert.as_of) if alert.kind == "threshold" else self._about_data()

    def _about_data(self, lines: Mapping[str, str] | None = None) -> About:
        return About(self.group.settings.group, self._is_of_record(self.reading.name), lines=lines or {})

    def _is_of_record(self, reading: str) -> bool:
        named = next((known for known in self.group.readings.readings if known.name == reading), None)
        return named is not None and release_tests.is_of_record(self.group, named, self.today)

    def _about_threshold(self, key: AlertKey, as_of: date | None) -> About:
        """What there is to say of a threshold's alert at a month.

        A licence that isn't watched any more, or a reading that is gone, leaves an alert with its figures alone.
        """
        month = month_of(as_of) if as_of else None
        rule = self.rules.get(key.rule)
        is_of_record = self._is_of_record(key.reading)
        is_shown = key.reading == self.reading.name
        if month is None or rule is None or not is_shown:
            subject = key.rule.partition(" ")[2] or None
            return About(self.group.settings.group, is_of_record, whose=subject, aside=None if is_shown else self.reading.name)
        subject = rule.subject
        published = next((past for past in self.months.past(subject) if past.month == month), None)
        expected = self._outlook(rule, published) if published and published.upper is not None else None
        products = published_figures.products(self.store, self.reading, month)
        return About(
            self.group.settings.group,
            is_of_record,
            whose=subject,
            crossing=expected.crossing if expected else None,
            today=self.today,
            products=[(ref, users) for ref, users in products if subject is None or ref.belongs_to(subject)],
            tested_by=rule.tested_by(month),
            doubted=f"{month:%Y-%m}" in self._doubted.get(rule.name, ()),
            uses=[messages.use_line(*use) for use in self._uses(rule)],
        )

    def _uses(self, rule: Rule) -> Iterator[grants.Use]:
        """Today's uses of the models that a rule is about."""
        for use in grants.uses(self.group, self.today):
            if use.model.model in rule.licence_ids and (rule.subject is None or use.ref.belongs_to(rule.subject)):
                yield use


def _situation_to_show(
    situations: Sequence[Situation], assessments: Sequence[Assessment], events: Sequence[Event], level: Level
) -> Situation | None:
    """The newest situation that speaks for what has happened; of what stays over, the newest that is over.

    Else the newest that shows anything about being below a level, else the newest at all. A doubted one speaks for `over` alone.
    """
    reached = events[0].level if events and events[0].action == "raised" else Level.NONE
    if not events and level == Level.OVER:
        # Without this a late message would say `above the threshold` of a newer month that lies below it.
        reached = Level.OVER
    newest_first = list(zip(reversed(situations), reversed(assessments), strict=True))
    for speaks in (lambda a: a.rises >= reached > Level.NONE, lambda a: a.holds is not None, lambda a: True):
        for situation, assessment in newest_first:
            is_over = reached == Level.OVER and assessment.rises == Level.OVER
            if speaks(assessment) and (is_over or not situation.doubted):
                return situation
    return situations[-1] if situations else None
