"""What people and Dagster say to alerts: that somebody has seen one, that one is closed, that a run failed or succeeded."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from pipelines.alerts import delivery, evaluate
from pipelines.alerts import state as alerts_state
from pipelines.alerts.delivery import Clock
from pipelines.alerts.evaluate import FAILED
from pipelines.alerts.recorder import AlertRecorder
from pipelines.licences.registry import Registry
from pipelines.store import alert_log, contributions, engine
from pipelines.store.alert_log import Transition
from pipelines.store.engine import Store


@dataclass(frozen=True)
class Closing:
    """Who closes an alert, why, and under which matter."""

    by: str
    reason: str
    matter: str
    note: str | None = None


def acknowledge(store: Store, group: Group, number: int, by: str, now: datetime) -> Transition:
    """Note that somebody has seen it. Raises `RefusedError` for an alert that isn't open, or that has been seen."""
    name = _named("--by", by, 200)
    with store.writing() as connection:
        roll = AlertRecorder(Store(store.engine, connection, writes=True), group, now)
        of = _open(roll, number)
        state = roll.state(of.key)
        if state.acknowledged_by:
            raise refused(
                Code.ALERT_NOT_OPEN,
                f"alert {number}",
                "has been acknowledged",
                f"by {state.acknowledged_by}",
                "a worse level asks again",
            )
        roll.note(of.key, *alerts_state.acknowledge(state, name))
        return roll.current[of.key]


def close(store: Store, group: Group, known: Registry, number: int, closing: Closing, now: datetime) -> Transition:
    """Close an alert, and look again: what was confirmed counts from now on. Raises `RefusedError` for an alert that isn't open,
    and for a reason that isn't one of its kind."""
    by = _named("--by", closing.by, 200)
    matter = _named("--matter", closing.matter, 64)
    note = _named("--note", closing.note, 500) if closing.note is not None else None
    with store.writing() as connection:
        within = Store(store.engine, connection, writes=True)
        roll = AlertRecorder(within, group, now)
        of = _open(roll, number)
        fitting = alerts_state.CLOSES[of.kind]
        if closing.reason not in fitting:
            raise refused(
                Code.USAGE_INVALID,
                f"alert {number}",
                "isn't closed by this reason",
                f"{closing.reason}; of this kind: {', '.join(fitting)}",
                "choose one that fits",
            )
        after, events = alerts_state.close(roll.state(of.key), closing.reason, now)
        signed = {"closed_by": by, "reason_code": closing.reason, "matter": matter, "note": note}
        roll.note(of.key, after, events, None, lambda: evaluate.about(within, group, known, now, of), **signed)
        closed = roll.current[of.key]
        evaluate.evaluate(within, group, known, now)
        return closed


@dataclass(frozen=True)
class JobRun:
    """A run of a job: which periods and products it is about, where it is about such."""

    job: str
    first: str = ""
    """The first period, as a partition's key; the last one is of the same length."""
    last: str = ""
    products: tuple[str, ...] = ()
    """As affiliate/product; all where none is named."""

    @property
    def subjects(self) -> list[str]:
        """What an alert about its failure is about: a line for each product, so that each ends by itself."""
        periods = f"{self.first} to {self.last} by {self.job}" if self.first else self.job
        return [f"{product}, {periods}" for product in self.products] or [periods]

    def covers(self, subject: str) -> bool:
        """Whether its success says that what a failure was about is done."""
        product, _, periods = subject.rpartition(", ")
        between, _, job = periods.rpartition(" by ")
        first, _, last = between.partition(" to ")
        if not first:
            return job == self.job
        within = self.first <= first and last <= self.last
        # What is done for a product's days is done, by whatever job.
        return within and (product in self.products or (job == self.job and not self.products))


def run_ended(directory: Path, group: Group, run: JobRun, clock: Clock, failed: bool) -> None:
    """Note how a job's run has ended, and tell it: a failure is an alert until a run of the same succeeds.

    Needs no key, for the lack of it may be why the run failed. Raises `RefusedError` where there can be no store.
    """
    if not failed and not engine.exists(group.settings.store, directory):
        return
    with contributions.open_store(group.settings.store, directory, create=True) as store:
        _of_run(store, group, run, clock(), failed)
        delivery.deliver(store, directory, group, clock)


def _of_run(store: Store, group: Group, run: JobRun, now: datetime, fails: bool) -> None:
    with store.writing() as connection:
        roll = AlertRecorder(Store(store.engine, connection, writes=True), group, now)
        here = run.subjects if fails else []
        roll.note(FAILED, *alerts_state.data_incident(roll.state(FAILED), here, lambda s: not fails and run.covers(s), now))


def _open(roll: AlertRecorder, number: int) -> Transition:
    is_open = {of.opened: of for of in alert_log.current(roll.store).values() if of.is_open}
    if number not in is_open:
        there = ", ".join(map(str, is_open)) or "none"
        raise refused(Code.ALERT_NOT_OPEN, f"alert {number}", "isn't open", f"open: {there}", "look at them: mauwatch alerts")
    return is_open[number]


def _named(what: str, said: str, most: int) -> str:
    if not said.strip() or len(said) > most or "\n" in said:
        raise refused(
            Code.USAGE_INVALID,
            f"closing or acknowledging: {what}",
            "is empty, or too long",
            f"at most {most} characters",
            "write it",
        )
    return said.strip()
