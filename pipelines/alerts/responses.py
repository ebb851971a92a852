"""What people and Dagster answer to alerts: somebody has seen an alert, closes one, or a job's run has failed or succeeded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from affiliates.errors import Code, refused, unseen_sign
from affiliates.manifests.group import Group
from affiliates.periods import month_end
from pipelines.alerts import delivery, evaluate, state
from pipelines.alerts.delivery import Clock
from pipelines.alerts.evaluate import FAILED, RUN, RunFacts
from pipelines.alerts.recorder import AlertRecorder
from pipelines.licences.registry import Registry
from pipelines.store import alert_log, contributions, engine
from pipelines.store.alert_log import Transition
from pipelines.store.engine import Store

_LONGEST_NAME = 200
_LONGEST_MATTER = 64
_LONGEST_NOTE = 500
"""Characters, in the store."""


@dataclass(frozen=True)
class Closing:
    """Who closes an alert, why, and under which matter of counsel's."""

    by: str
    reason: str
    """One of those that fit the alert's kind."""
    matter: str
    note: str | None = None


def acknowledge(store: Store, group: Group, number: int, by: str, now: datetime) -> Transition:
    """Note that somebody has seen an alert.

    Raises `RefusedError` for an alert that isn't open, or that somebody has acknowledged, and for a name that is empty or long.
    """
    name = _checked("--by", by, _LONGEST_NAME)
    with store.writing() as connection:
        recorder = AlertRecorder(Store(store.engine, connection, writes=True), group, now)
        alert = _open_alert(recorder, number)
        before = recorder.state_of(alert.key)
        if before.acknowledged_by:
            raise refused(
                Code.ALERT_NOT_OPEN,
                f"alert {number}",
                "has been acknowledged",
                f"by {before.acknowledged_by}",
                "a worse level asks again",
            )
        recorder.record(alert.key, *state.acknowledge(before, name))
        return recorder.current[alert.key]


def close(store: Store, group: Group, known: Registry, number: int, closing: Closing, now: datetime) -> Transition:
    """Close an alert, and evaluate again: a change that was confirmed counts from now on.

    Raises `RefusedError` for an alert that isn't open, for a reason that isn't one of its kind, and for a text that is empty or
    too long.
    """
    by = _checked("--by", closing.by, _LONGEST_NAME)
    matter = _checked("--matter", closing.matter, _LONGEST_MATTER)
    note = _checked("--note", closing.note, _LONGEST_NOTE) if closing.note is not None else None
    # One transaction: an alert that is closed without what follows from it would wait for the next run.
    with store.writing() as connection:
        within = Store(store.engine, connection, writes=True)
        recorder = AlertRecorder(within, group, now)
        alert = _open_alert(recorder, number)
        fitting = state.REASONS_BY_KIND[alert.kind]
        if closing.reason not in fitting:
            raise refused(
                Code.USAGE_INVALID,
                f"alert {number}",
                "isn't closed by this reason",
                f"{closing.reason}; of this kind: {', '.join(fitting)}",
                "choose one that fits",
            )
        after, events = state.close(recorder.state_of(alert.key), closing.reason, now)
        signed = {"closed_by": by, "reason_code": closing.reason, "matter": matter, "note": note}
        recorder.record(alert.key, after, events, None, lambda: evaluate.about(within, group, known, now, alert), **signed)
        # Read before the evaluation, which may record this alert anew.
        closed = recorder.current[alert.key]
        evaluate.evaluate(within, group, known, now)
        return closed


def reasons_of(kind: str) -> dict[str, str]:
    """The reasons for which an alert of a kind is closed, each in words."""
    return {name: state.REASONS[name] for name in state.REASONS_BY_KIND[kind]}


class FailedRun(NamedTuple):
    """What a failure was about, read from the alert's line."""

    product: str
    """As affiliate/product; empty for a whole job."""
    first: date | None
    last: date | None
    """The first and the last day, both included; null for a job without periods."""
    job: str

    @classmethod
    def from_text(cls, text: str) -> "FailedRun":
        """The parts of "a/app, 2025-03 to 2025-04 by mauwatch_months"; of any other text a job without periods."""
        product, _, periods = text.rpartition(", ")
        between, _, job = periods.rpartition(" by ")
        first, _, last = between.partition(" to ")
        return cls(product, _first_day(first) if first else None, _last_day(last) if last else None, job)


def _first_day(key: str) -> date:
    """The first day of a partition, by its key: a day, or a month as YYYY-MM."""
    return date.fromisoformat(key if len(key) > len("2025-03") else f"{key}-01")


def _last_day(key: str) -> date:
    """The last day of a partition, by its key."""
    return _first_day(key) if len(key) > len("2025-03") else month_end(_first_day(key))


@dataclass(frozen=True)
class JobRun:
    """A run of a job: which periods and products the run is about, where it is about such."""

    job: str
    first: str = ""
    """The first period, as a partition's key, so that keys of one grain sort as time does; empty without periods."""
    last: str = ""
    """The last period, of the same length; the run includes it."""
    products: tuple[str, ...] = ()
    """As affiliate/product; all where none is named."""

    @property
    def subjects(self) -> list[str]:
        """What an alert about the run's failure is about: a line for each product, so that each ends by itself."""
        periods = f"{self.first} to {self.last} by {self.job}" if self.first else self.job
        return [f"{product}, {periods}" for product in self.products] or [periods]

    def covers(self, subject: str) -> bool:
        """Whether this run's success shows that what a failure was about is done.

        All of a morning's runs have one job's name, so the name alone would end the alert of days that nobody has computed.
        """
        failed = FailedRun.from_text(subject)
        if failed.first is None or failed.last is None:  # A job without periods.
            return failed.job == self.job
        if not self.first:
            return False
        within = _first_day(self.first) <= failed.first and failed.last <= _last_day(self.last)
        # What is done for a product's days is done, by whatever job.
        return within and (failed.product in self.products or (failed.job == self.job and not self.products))


def facts_of_range(first: date, last: date, group: Group, refused: Sequence[str], failed: bool = False) -> RunFacts:
    """What `mauwatch run` of some days, both included, says of failures: its refused products', and those that it has ended.

    `failed`: whether a step that is no product's has failed.
    """
    born = min((product.from_ for product in group.products.values()), default=first)
    days = str(max(first, born)), str(last)
    done = [name for ref in group.products if (name := str(ref)) not in refused]
    # One for what other jobs failed to do for these products, and one for a whole run of the same days.
    runs = [JobRun(RUN, *days, tuple(done)), *([] if refused or failed else [JobRun(RUN, *days)])]
    subjects = [subject for name in refused for subject in JobRun(RUN, *days, (name,)).subjects]
    subjects += JobRun(RUN, *days).subjects if failed else []
    return RunFacts(None, subjects, lambda text: text != RUN and any(run.covers(text) for run in runs))


def end_failures(store: Store, group: Group, now: datetime, is_due: Callable[[FailedRun], bool]) -> None:
    """End the failures of which nothing is due any more: their days may have come with runs of other days.

    `is_due`: whether anything of a failure is; true where nobody can tell, and then a run alone ends it.
    """
    with store.writing() as connection:
        recorder = AlertRecorder(Store(store.engine, connection, writes=True), group, now)

        def is_done(text: str) -> bool:
            return not is_due(FailedRun.from_text(text))

        before = recorder.state_of(FAILED)
        recorder.record(FAILED, *state.data_incident(before, [], is_done, now))


def run_ended(directory: Path, group: Group, run: JobRun, clock: Clock, failed: bool) -> None:
    """Record how a job's run has ended, and send it: a failure is an alert until a run of the same succeeds.

    Needs no key, for the lack of the key may be why the run failed. Raises `RefusedError` where there can be no store.
    """
    if not failed and not engine.exists(group.settings.store, directory):
        return  # A success has nothing to end where there is no store.
    with contributions.open_store(group.settings.store, directory, create=True) as store:
        _record_run(store, group, run, clock(), failed)
        delivery.deliver(store, directory, group, clock)


def note_failure(store: Store, group: Group, run: JobRun, now: datetime) -> None:
    """Record that a job hasn't done what it ought to have, for want of a run too."""
    _record_run(store, group, run, now, failed=True)


def _record_run(store: Store, group: Group, run: JobRun, now: datetime, failed: bool) -> None:
    with store.writing() as connection:
        recorder = AlertRecorder(Store(store.engine, connection, writes=True), group, now)
        subjects = run.subjects if failed else []
        before = recorder.state_of(FAILED)
        # A failure judges nothing else: other products' failures stay as they are.
        recorder.record(FAILED, *state.data_incident(before, subjects, lambda text: not failed and run.covers(text), now))


def _open_alert(recorder: AlertRecorder, number: int) -> Transition:
    """The open alert of a number. Raises `RefusedError` where there is none, with the numbers that there are."""
    open_alerts = {alert.opened: alert for alert in alert_log.current(recorder.store).values() if alert.is_open}
    if number not in open_alerts:
        numbers = ", ".join(map(str, open_alerts)) or "none"
        raise refused(Code.ALERT_NOT_OPEN, f"alert {number}", "isn't open", f"open: {numbers}", "look at them: mauwatch alerts")
    return open_alerts[number]


def _checked(option: str, text: str, longest: int) -> str:
    """An option's text without blanks around it. Raises `RefusedError` where it is empty, too long, or more than a line."""
    if not text.strip() or len(text) > longest or unseen_sign(text):
        raise refused(
            Code.USAGE_INVALID,
            f"closing or acknowledging: {option}",
            "is empty, or too long, or holds a character that nobody sees",
            f"one line of at most {longest} characters",
            "write it",
        )
    return text.strip()
