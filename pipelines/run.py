"""One run: contributions from every source that is due, then the months' figures and licence tests."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from affiliates.errors import RefusedError
from affiliates.group import Group, Reading
from pipelines import collect, counting, licences, publications, published, runbook, telling, watched, watching
from pipelines.collect import Centre, ProductRun
from pipelines.counting import METHOD, Measured
from pipelines.licences import LicenceTest
from pipelines.publications import PRELIMINARY, New, Publication
from pipelines.runbook import Finding, Page
from pipelines.warehouse import Warehouse

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many."""


@dataclass
class MonthRun:
    """What publishing a month did."""

    month: date
    measured: dict[str, Measured] = field(default_factory=dict)
    """By reading, what was published."""
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    """What a run did and found."""

    products: list[ProductRun] = field(default_factory=list)
    published: list[date] = field(default_factory=list)
    measured: dict[tuple[date, str], Measured] = field(default_factory=dict)
    """By month and reading, what was published."""
    tests: list[LicenceTest] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    """What is open, by level; they are the centre's business, and no fault of this run."""

    @property
    def clean(self) -> bool:
        return not self.findings and not any(p.refusals or p.missing for p in self.products)

    @property
    def pages(self) -> list[Page]:
        """What the runbook has about what was found."""
        pages = [runbook.of_product(refusal) for p in self.products for refusal in p.refusals]
        pages += [Page.DAYS_MISSING] if any(p.missing for p in self.products) else []
        return list(dict.fromkeys(pages + [finding.page for finding in self.findings]))

    def to_dict(self) -> dict[str, Any]:
        products = {
            p.name: asdict(p.received)
            | {"unidentified_events": p.unidentified, "undecided_events": p.undecided}
            | {"missing_days": [d.isoformat() for d in p.missing], "refused": [str(r) for r in p.refusals]}
            for p in self.products
        }
        months = [f"{m:%Y-%m}" for m in self.published]
        return {
            "products": products,
            "published_months": months,
            "findings": [str(finding) for finding in self.findings],
            "open_alerts": self.alerts,
            "runbook": runbook.lines(self.pages),
        }

    def add(self, month: MonthRun) -> None:
        """Take in what publishing a month did."""
        self.findings += [f for f in month.findings if f not in self.findings]
        self.measured |= {(month.month, reading): found for reading, found in month.measured.items()}
        if month.measured:
            self.published.append(month.month)


def run(
    directory: Path,
    group: Group,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Report:
    """Compute the days from `first` to `last` (both included), store them and publish their months.

    Without a range, computes what is missing, wasn't settled, has changed since or was made under
    other settings. A product whose sources are refused keeps what the store has, and the others go on.
    """
    report = Report()
    with Centre(directory, group, now) as centre:
        for number, (ref, product) in enumerate(group.products.items()):
            progress(str(ref), number, len(group.products))
            report.products.append(collect.collect(centre, ref, product, first, last))
        report.findings += lifeless(group, first, last, now.date())
        collect.take_counts(centre)
        store = centre.store_if_any()
        if store is not None:
            months = store.read_months()
            for number, month in enumerate(months):
                progress(f"{month:%Y-%m}", number, len(months))
                report.add(publish_month(centre, store, month))
            report.tests = note_tests(centre, store, {m.inputs.digest: m for m in report.measured.values()})
        tell(centre, report, whole=first is None and last is None)
    return report


def tell(centre: Centre, report: Report, whole: bool) -> None:
    """Look once more with what the run found itself, send what waits in the outbox, and let the heartbeat beat.

    It stays silent when a product was refused or a message can't be delivered: then the outside service rings. `whole`: the
    run was about all that is due, and not about a range.
    """
    refused = [p.name for p in report.products if p.refusals]
    store = centre.store_if_any()
    left = list[Finding]()
    if store is not None:
        missing = [p.name for p in report.products if p.missing] if whole else None
        watching.look(store, centre.group, centre.registry, centre.now, True, watching.Facts(missing, refused))
        left = telling.deliver(store, centre.directory, centre.group, centre.clock)
        report.alerts = telling.open_alerts(store)
    report.findings += left
    report.findings += [
        Finding(said, Page.UNDELIVERED) for said in watched.unwatched(centre.group, centre.registry, centre.today)
    ]
    if not refused and not left:
        report.findings += telling.ping(centre.group.alerting, centre.directory)


def lifeless(group: Group, first: date | None, last: date | None, today: date) -> list[Finding]:
    """The finding that a range holds no day of any product."""
    if (first is None and last is None) or collect.any_days(group, first, last, today):
        return []
    said = f"no product lives between {first or 'the beginning'} and {last or 'today'}, or it lies in the future"
    return [Finding(said, Page.RANGE_EMPTY)]


def publish_month(centre: Centre, store: Warehouse, month: date) -> MonthRun:
    """Publish a month's figures under each reading whose inputs changed, with the licence tests that rest on it.

    A month that was signed keeps its figures: that its inputs changed is a finding.
    """
    done, new = MonthRun(month), []
    with store.snapshot() as fixed:
        position, by_digest = fixed.position(centre.now), dict[str, Measured]()
        for reading, inputs, last, signed in _standing(centre, fixed, month):
            if not _behind(inputs, last, signed):
                continue
            if signed:
                done.findings += [f for f in _changed_since(last, inputs) if f not in done.findings]
                continue
            try:
                if inputs.digest not in by_digest:
                    by_digest[inputs.digest] = counting.measure(fixed, centre.group, inputs)
            except RefusedError as error:
                page = runbook.of_refusal(error.refusals[0]) or Page.NOT_UNITED
                said = Finding(str(error), page)
                done.findings += [said] if said not in done.findings else []
                continue
            found = by_digest[inputs.digest]
            new.append(published.new(found, reading, centre.group.settings.group, position, centre.now, PRELIMINARY))
            done.measured[reading.name] = found
        tests = _tests_of(centre, fixed, month, by_digest) if new else []
    if new:
        _append(centre, store, done, new, licences.rows(tests, centre.now))
    return done


def outdated_months(centre: Centre, store: Warehouse) -> list[date]:
    """Months that `publish_month` would publish or find something about; all the others are as they were published."""
    with store.snapshot() as fixed:
        return [month for month in fixed.read_months() if any(_behind(*s[1:]) for s in _standing(centre, fixed, month))]


def _standing(
    centre: Centre, fixed: Warehouse, month: date
) -> Iterator[tuple[Reading, counting.Inputs, Publication | None, bool]]:
    """By reading, what a month rests on now, its publication in force, and whether the month is signed."""
    before = publications.in_force(fixed, month)
    signed = any(p.signed for p in before.values())
    gathered: dict[object, counting.Inputs] = {}
    for reading in centre.group.readings.readings:
        alike = reading.audiences, reading.control_share  # Readings that differ in nothing else rest on the same.
        if alike not in gathered:
            gathered[alike] = counting.gather(fixed, centre.group, month, reading)
        yield reading, gathered[alike], before.get((month, reading.name)), signed


def _behind(inputs: counting.Inputs, last: Publication | None, signed: bool) -> bool:
    """Whether what is published isn't what the inputs give; what was published and then withdrawn becomes unknown."""
    if last is None:
        return not (signed or inputs.is_empty)
    if signed:  # That sketches were erased since is no reason to restate it: it can't be computed any more.
        return last.inputs not in (inputs.digest, inputs.unerased)
    return last.inputs != inputs.digest or last.method != METHOD


def _append(centre: Centre, store: Warehouse, done: MonthRun, new: list[New], tests: list[dict[str, Any]]) -> None:
    """With what alerts follow from it, in one transaction."""
    if not publications.append(
        store, done.month, new, tests, lambda within: watching.look(within, centre.group, centre.registry, centre.now)
    ):
        done.measured = {}  # Signed in the meantime: the next run says whether anything came too late.
    for found in done.measured.values():
        wrong = [Finding(f"{done.month:%Y-%m}: {what}", Page.CHECK_LARGEST) for what in found.contradictions]
        done.findings += [w for w in wrong if w not in done.findings]


def _changed_since(last: Publication | None, inputs: counting.Inputs) -> list[Finding]:
    if last is None or last.inputs in (inputs.digest, inputs.unerased):
        return []
    said = (
        f"{last.month:%Y-%m} is {last.state}, and what it rests on has changed since {last.known_at:%Y-%m-%d}: the signed "
        f"figure stands; compare with `mauwatch measure --month {last.month:%Y-%m} --anew`, and restate it with "
        f"`mauwatch close {last.month:%Y-%m} --by NAME --restates REASON`"
    )
    return [Finding(said, Page.MONTH_CHANGED)]


def _tests_of(centre: Centre, store: Warehouse, month: date, known: dict[str, Measured]) -> list[LicenceTest]:
    about = [licence for licence in licences.releases(centre.registry) if licence.measured_month == month]
    return list(licences.run_tests(store, centre.group, about, known, today=centre.today))


def note_tests(centre: Centre, store: Warehouse, known: dict[str, Measured]) -> list[LicenceTest]:
    """Test every licence of the registry, and note the results that differ from those before.

    Results that rest on more than what is published aren't noted: they come with the publication.
    """
    with store.snapshot() as fixed:
        every = licences.releases(centre.registry)
        tests = list(licences.run_tests(fixed, centre.group, every, known, today=centre.today))
        ahead = {month for month in {t.licence.measured_month for t in tests} if _ahead(centre, fixed, month)}
        stood = publications.in_force(fixed)
    rows = [
        row for row in licences.rows(tests, centre.now) if row["measured_month"] not in ahead or row["result"] == "not_measured"
    ]
    publications.append_tests(store, rows, stood)
    return tests


def _ahead(centre: Centre, fixed: Warehouse, month: date) -> bool:
    """Whether the store has more of a month than is published: another run is at work on it."""
    return any(_behind(inputs, last, signed) for _, inputs, last, signed in _standing(centre, fixed, month) if not signed)
