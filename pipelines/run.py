"""One run: contributions from every source that is due, then the months' figures and licence tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from affiliates import contribution, crosswalk, edge
from affiliates.contribution import end_of
from affiliates.crosswalk import NO_CROSSWALK, Crosswalk
from affiliates.edge import Workplace
from affiliates.group import Group, Product
from affiliates.identity import read_key
from affiliates.model import period_end
from affiliates.refusal import Refusal, Refused
from pipelines import counting, intake, licences, warehouse
from pipelines.counting import DAY, Measured
from pipelines.licences import LicenceTest
from pipelines.warehouse import GivenCount, Received, Version, Warehouse

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many."""


@dataclass
class ProductRun:
    """What a run did for one product."""

    name: str
    received: Received = field(default_factory=Received)
    missing: tuple[date, ...] = ()
    """Days that are over and settled, and are neither in the sources nor in the store."""
    refusals: tuple[Refusal, ...] = ()
    unidentified: int = 0
    """Events of the computed periods without a usable identifier."""
    undecided: int = 0
    """Events of the computed periods that a condition left undecided."""


@dataclass
class Report:
    """What a run did and found."""

    products: list[ProductRun] = field(default_factory=list)
    published: list[date] = field(default_factory=list)
    measured: dict[tuple[date, str], Measured] = field(default_factory=dict)
    """By month and reading, what was published."""
    tests: list[LicenceTest] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.findings and not any(p.refusals or p.missing for p in self.products)

    def to_dict(self) -> dict[str, Any]:
        products = {
            p.name: asdict(p.received)
            | {"unidentified_events": p.unidentified, "undecided_events": p.undecided}
            | {"missing_days": [d.isoformat() for d in p.missing], "refused": [str(r) for r in p.refusals]}
            for p in self.products
        }
        return {"products": products, "published_months": [f"{m:%Y-%m}" for m in self.published], "findings": self.findings}


def run(
    directory: Path,
    group: Group,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Report:
    """Compute the days from `first` to `last` (both included), store them and publish their months.

    Without a range, computes what is missing, wasn't settled or was made under other settings. A
    product whose sources are refused keeps what the store has, and the others go on.
    """
    key = read_key(group.settings.key, directory)
    place = Workplace(directory, group.settings, key, _crosswalks(group.settings.crosswalk, directory), now)
    if group.settings.crosswalk and "{month}" not in group.settings.crosswalk:
        place.crosswalk(date.min)  # One snapshot for all: if it can't be read, no product can be counted.
    report = Report()
    work = [(entity.entity, product) for entity in group.entities.values() for product in entity.products]
    with ExitStack() as stack:
        # A store comes into being only with the first contribution that is accepted.
        open_store = lru_cache(lambda: stack.enter_context(warehouse.opened(group.settings.store, directory, create=True)))
        store = open_store() if warehouse.exists(group.settings.store, directory) else None
        for number, (affiliate, product) in enumerate(work):
            name = f"{affiliate}/{product.product}"
            progress(name, number, len(work))
            done = ProductRun(name)
            report.products.append(done)
            versions = store.read_versions(affiliate, product.product) if store else []
            try:
                computed = _computed(place, group, affiliate, product, versions, first, last, done)
            except Refusal as refusal:
                done.refusals = (refusal,)
            except Refused as refused:
                done.refusals = refused.refusals
            except OSError as error:
                done.refusals = (
                    Refusal(name, "a file can't be read", str(error.strerror), "see to its permissions and its disk"),
                )
            else:
                if computed:
                    store = open_store()
                    done.received = store.append_contributions(computed, key.fingerprint, now)
                    done.unidentified = sum(c.unidentified_events or 0 for c, _ in computed)
                    done.undecided = sum(c.undecided_events or 0 for c, _ in computed)
        if (first or last) and not any(_days(p, first, last, now.date()) for _, p in work):
            report.findings.append(
                f"no product lives between {first or 'the beginning'} and {last or 'today'}, or it lies in the future"
            )
        given = list(_given(group, now.date()))
        if store is None and given:
            store = open_store()
        if store is not None:
            store.replace_counts(date.min, date.max, given, now)
            _publish(store, group, now, report, progress)
    return report


def _crosswalks(pattern: str | None, directory: Path) -> Callable[[date], Crosswalk | None]:
    """The snapshot of a month, each file read once."""
    read = lru_cache(maxsize=4)(lambda name: crosswalk.read(name, directory))
    return lambda month: read(crosswalk.file_of(pattern, month)) if pattern else None


def _computed(
    place: Workplace,
    group: Group,
    affiliate: str,
    product: Product,
    versions: list[Version],
    first: date | None,
    last: date | None,
    done: ProductRun,
) -> list[tuple[contribution.Contribution, datetime]]:
    """The product's contributions, written at the edge and read at the centre: there is one way in."""
    if not product.sources:
        return []
    known = {v.activity_date: v for v in versions if v.grain == product.grain}
    days = _days(product, first, last, place.now.date())
    found = edge.find(done.name, product, place.directory)
    zone = product.day_zone or group.settings.time_zone
    periods = edge.periods_present(found, product, days, zone, place.now)
    if first is None and last is None:
        periods = {p: ds for p, ds in periods.items() if _outdated(known.get(p), group, affiliate, product, place)}
    settled = timedelta(days=product.settles_after)
    # Asked to compute a range again, what its sources no longer hold is said, though the store has it.
    there = set(periods) | (set(known) if first is None and last is None else set())
    by_month = {v.activity_date for v in versions if v.grain == "month"}  # Handed in whole; until there is a day of its own.
    by_month -= {p.replace(day=1) for p in (*periods, *known) if product.grain == "day"}
    done.missing = tuple(
        d for d in days
        if edge.first_day(product.grain, d) not in there and d.replace(day=1) not in by_month
        and end_of("day", d, zone) + settled <= place.now
        and not all(f.has(d) for f in found)
    )  # fmt: skip
    with TemporaryDirectory(prefix="mauwatch-") as folder:
        paths = []
        for number, contributions in enumerate(edge.contribute(affiliate, product, found, periods, place)):
            paths.append(Path(folder) / f"{affiliate}-{product.product}-{number}.parquet")
            contribution.write(paths[-1], contributions)
        return intake.accept(paths, group, place.key, lambda month: _digest(place, month), place.now)


def _days(product: Product, first: date | None, last: date | None, today: date) -> list[date]:
    """The days of the product's life in the range; whole months for a product that counts by month."""
    begin, end = first or product.from_, min(last or today, today)
    if product.grain == "month":
        begin, end = begin.replace(day=1), period_end("month", end.replace(day=1)) - DAY
    days = (begin + DAY * i for i in range((end - begin).days + 1))
    return [day for day in days if product.holds_on(day)]


def _digest(place: Workplace, month: date) -> str:
    snapshot = place.crosswalk(month)
    return snapshot.digest if snapshot else NO_CROSSWALK


def _outdated(version: Version | None, group: Group, affiliate: str, product: Product, place: Workplace) -> bool:
    """Whether a period has to be computed: never, not settled, or under other settings."""
    if version is None:
        return True
    settles = intake.settles_at(group, affiliate, product.product, version.grain, version.activity_date, version.day_zone)
    return (
        version.computed_at < settles
        or (version.key_epoch, version.key_fingerprint) != (place.key.epoch, place.key.fingerprint)
        or version.definition_digest != edge.definition_digest(product, place.settings)
        or version.crosswalk_digest != _digest(place, version.activity_date.replace(day=1))
    )


def _given(group: Group, today: date) -> Iterator[GivenCount]:
    """The manifests' counts, and their ceilings for each month that is over."""
    for affiliate, entity in group.entities.items():
        for p in entity.products:
            for count in p.counts:
                yield GivenCount(
                    affiliate, p.product, count.month, "count", count.users, count.unit, count.document, count.attested_by
                )
            month = p.from_.replace(day=1)
            while p.ceilings and period_end("month", month) <= today:
                alive = [month + DAY * i for i in range((period_end("month", month) - month).days) if p.holds_on(month + DAY * i)]
                roofs = [next((c for c in p.ceilings if c.holds_on(day)), None) for day in alive]
                # In force on every day; where it changed in the month, the higher one holds.
                if (found := [c for c in roofs if c]) and None not in roofs:
                    c = max(found, key=lambda c: c.users)
                    yield GivenCount(affiliate, p.product, month, "ceiling", c.users, c.unit, c.document, c.attested_by)
                month = period_end("month", month)


def _publish(store: Warehouse, group: Group, now: datetime, report: Report, progress: Progress) -> None:
    """Publish the figures of every month whose inputs changed, then the licence tests."""
    published, months = store.read_published_inputs(), store.read_months()
    for number, month in enumerate(months):
        progress(f"{month:%Y-%m}", number, len(months))
        measured: dict[str, Measured] = {}
        gathered = {}
        for reading in group.readings.readings:
            alike = reading.audiences, reading.control_share  # Readings that differ in nothing else rest on the same.
            if alike not in gathered:
                gathered[alike] = counting.gather(store, group, month, reading)
            inputs, before = gathered[alike], published.get((month, reading.name))
            if before == inputs.digest or (inputs.is_empty and before is None):
                continue  # What was published and then withdrawn is published again, as nothing known.
            try:
                found = measured.get(inputs.digest) or measured.setdefault(inputs.digest, counting.measure(store, group, inputs))
            except Refusal as refusal:
                report.findings += [str(refusal)] if str(refusal) not in report.findings else []
                continue
            store.append_figures(counting.rows(found, reading, group.settings.group, now))
            report.measured[month, reading.name] = found
            if month not in report.published:
                report.published.append(month)
                report.findings.extend(f"{month:%Y-%m}: {wrong}" for wrong in found.contradictions)
    by_digest = {found.inputs.digest: found for found in report.measured.values()}
    report.tests = list(licences.run_tests(store, group, measured=by_digest))
    store.append_tests(licences.rows(report.tests, now))
