"""Closing a month: its figures signed by a named person, and restated when they must be; never altered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from affiliates import signature as signatures
from affiliates.errors import Code, RefusedError, refused
from affiliates.group import Group, Reading
from affiliates.manifests import read_attested
from affiliates.periods import end_of
from pipelines import checks, counting, ledger, licences, publications, published, telling, watching
from pipelines.chain import Entry, canonical, head_of
from pipelines.collect import Centre
from pipelines.collected import collected
from pipelines.counting import METHOD, Measured
from pipelines.publications import CLOSED, RESTATED, New, Publication
from pipelines.warehouse import Warehouse
from pipelines.window import Days

MOST_SAID = 5


@dataclass(frozen=True)
class Signature:
    """Who signs, and why although something is open, or why anew."""

    by: str
    despite: str | None = None
    restates: str | None = None


def close(centre: Centre, month: date, signature: Signature) -> dict[str, Measured]:
    """Sign a month's figures under each reading; says which they are.

    Raises `RefusedError` while the month isn't over, something due is missing or unsettled, or a check is
    red (unless `despite` says why), and for a month that is signed already, unless it `restates` and
    something has changed.
    """
    group, store, name = centre.group, centre.store_if_any(), f"{month:%Y-%m}"
    if end_of("month", month, group.settings.time_zone) > centre.now:
        raise refused(Code.MONTH_NOT_CLOSABLE, name, "isn't over", f"in {group.settings.time_zone}", "close it later")
    for what, said in (("--by", signature.by), ("--despite", signature.despite), ("--restates", signature.restates)):
        if said is not None and not said.strip():
            raise refused(Code.USAGE_INVALID, f"closing {name}", f"{what} is empty", "", "write who signs, and why")
    attested = read_attested(centre.directory, group, month)
    key = group.settings.evidence_key
    public_key = signatures.public_of(centre.directory / key) if key else None
    if store is None:
        raise refused(
            Code.FIGURE_MISSING,
            f"the group in {name}",
            "no data: nothing was contributed for this month",
            "",
            "run it: mauwatch run",
        )
    with store.snapshot() as fixed:
        before = {p.reading: p for p in publications.in_force(fixed, month).values() if p.signed}
        _check_signed(name, before, signature)
        found = dict(_measured(fixed, group, month))
        told = {name: canonical(collected(attested, m, public_key)) for name, m in found.items()}
        if before and all(_same(before.get(r), m, told[r]) for r, m in found.items()):
            raise refused(
                Code.MONTH_NOT_CLOSABLE, name, "nothing has changed since it was signed", "", "there is nothing to restate"
            )
        if signature.despite is None:
            _check_open(name, list(_open(fixed, group, found)))
        position = fixed.position(centre.now)
        state = RESTATED if before else CLOSED
        new: list[New] = []
        for reading in group.readings.readings:
            last = before.get(reading.name)
            signed = {
                "signed_by": signature.by.strip(), "despite": signature.despite, "reason": signature.restates,
                "supersedes": last.id if last else None, "collected": told[reading.name],
            }  # fmt: skip
            new.append(published.new(found[reading.name], reading, group.settings.group, position, centre.now, state, **signed))
        every = licences.releases(centre.registry)
        about = [licence for licence in every if licence.measured_month == month]
        known = {m.inputs.digest: m for m in found.values()}
        tests = list(licences.run_tests(fixed, group, about, known, anew=True, today=centre.today))
    rows = licences.rows(tests, centre.now)
    if not publications.append(store, month, new, rows, lambda within: watching.look(within, group, centre.registry, centre.now)):
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            name,
            "was signed by somebody else at the same moment",
            "",
            f"look at it: mauwatch measure --month {name}",
        )
    telling.deliver(store, centre.directory, group, centre.clock)  # What isn't delivered, the next run says.
    return {reading: published.in_state(measured, state) for reading, measured in found.items()}


def head(store: Warehouse, month: date) -> Entry:
    """The ledger's entry that signs a month: what is printed, and mailed to somebody else."""
    found = head_of(ledger.read(store), month)
    assert found is not None
    return found


def _check_signed(name: str, before: dict[str, Publication], signature: Signature) -> None:
    if before and signature.restates is None:
        last = next(iter(before.values()))
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            name,
            f"is {last.state} already",
            f"by {last.signed_by} on {last.known_at:%Y-%m-%d}",
            f"to sign other figures: mauwatch close {name} --by NAME --restates REASON",
        )
    if not before and signature.restates is not None:
        raise refused(
            Code.MONTH_NOT_CLOSABLE,
            name,
            "isn't closed, so there is nothing to restate",
            "",
            f"close it: mauwatch close {name} --by NAME",
        )


def _measured(store: Warehouse, group: Group, month: date) -> Iterator[tuple[str, Measured]]:
    known: dict[str, Measured] = {}
    for reading in group.readings.readings:
        inputs = counting.gather(store, group, month, reading)
        if inputs.is_empty:
            raise refused(
                Code.FIGURE_MISSING,
                f"the group in {month:%Y-%m}",
                "no data: nothing was contributed for this month",
                "",
                "run it: mauwatch run",
            )
        yield reading.name, known.get(inputs.digest) or known.setdefault(inputs.digest, counting.measure(store, group, inputs))


def _same(before: Publication | None, measured: Measured, told: str) -> bool:
    if before is None or (before.inputs, before.method) != (measured.inputs.digest, METHOD):
        return False
    return before.collected in (None, told)


def _open(store: Warehouse, group: Group, found: dict[str, Measured]) -> Iterator[str]:
    """What keeps a month from being closed."""
    for check in dict.fromkeys(c for measured in found.values() for c in checks.of_month(store, group, measured)):
        if not check.passed:
            yield f"{check.name}, {check.subject}: {check.said}"


def _check_open(name: str, open_: Sequence[str]) -> None:
    if open_:
        more = f"; and {len(open_) - MOST_SAID} more" if len(open_) > MOST_SAID else ""
        raise refused(
            Code.MONTH_CHECKS_RED,
            name,
            f"{len(open_)} check{'s are' if len(open_) > 1 else ' is'} red",
            "; ".join(open_[:MOST_SAID]) + more,
            f"see to them and run again, or say why not: mauwatch close {name} --by NAME --despite REASON",
        )


def known_on(day: date, group: Group) -> datetime:
    """The moment after which a day's knowledge is over, in the group's zone."""
    return end_of("day", day, group.settings.time_zone)


def shown(
    store: Warehouse, group: Group, month: date, reading: Reading, as_known_on: date | None = None, anew: bool = False
) -> tuple[Measured, Publication | None]:
    """A month's figures as they stand, and the publication they are from; null for what isn't published yet.

    What is signed stands, what is preliminary is measured by what the store has now. `as_known_on`: what
    had been published by the end of a day; `anew`: by what the store has now, although it was signed.
    Raises `RefusedError` where there is nothing.
    """
    name = f"the group in {month:%Y-%m}"
    if as_known_on is not None:
        found = publications.in_force(store, month, known_on(as_known_on, group)).get((month, reading.name))
        if found is None:
            raise refused(
                Code.FIGURE_MISSING,
                name,
                "nothing had been published",
                f"by {as_known_on}, under {reading.name}",
                "ask for a later day, or a month",
            )
        return published.read(store, found, reading), found
    found = publications.in_force(store, month).get((month, reading.name))
    if found is not None and found.signed and not anew:
        return published.read(store, found, reading), found
    inputs = counting.gather(store, group, month, reading)
    if inputs.is_empty:
        raise _no_data(store, name, "this month")
    return counting.measure(store, group, inputs), None


def in_window(store: Warehouse, group: Group, days: Days, reading: Reading) -> Measured:
    """People in other days than a calendar month's, by what the store has now: of these nothing is published, and nothing rests
    on them. Raises `RefusedError` where there is nothing."""
    inputs = counting.gather_window(store, group, days, reading)
    if inputs.is_empty:
        raise _no_data(store, f"the group, {days}", "these days")
    return counting.measure(store, group, inputs)


def _no_data(store: Warehouse, subject: str, what: str) -> RefusedError:
    months = store.read_months()
    there = f"there are {months[0]:%Y-%m} to {months[-1]:%Y-%m}" if months else "the store is empty"
    return refused(Code.FIGURE_MISSING, subject, f"no data: nothing was contributed for {what}", there, "run it: mauwatch run")
