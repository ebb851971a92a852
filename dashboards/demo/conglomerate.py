"""The demo at real size: a made-up group near the threshold, counted, and compared with its truth."""

import itertools
import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from affiliates.concurrency import ordered
from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution
from affiliates.crosswalks.snapshot import NO_CROSSWALK, table_bytes
from affiliates.crosswalks.statements import Statement
from affiliates.errors import Code, Refusal, RefusedError, refused
from affiliates.identity.keyring import Keyring
from affiliates.manifests.group import Group
from affiliates.manifests.loader import parse, read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.yaml_lines import load
from affiliates.periods import month_after, month_before, month_end, month_of, months_between
from affiliates.simulation.population import Population, Truth
from affiliates.simulation.simulate import Simulation
from dashboards.demo import git_activity
from dashboards.demo.truth import FigureBesideTruth
from pipelines.counting import measure
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.ingestion import acceptance
from pipelines.licences import release_tests
from pipelines.licences.release_tests import LicenceTest
from pipelines.store.contributions import open_store
from pipelines.workflows.report import Progress, Report
from pipelines.workflows.run import run

NAME = "conglomerate"
FIRST = date(2023, 6, 1)
"""The month that Llama 2 tests."""
CEILING = 9_000_000
"""Of the kiosk, in its manifest."""
_RAW = "retail/points"
_COUNTED = "mobile/prepaid"
"""The product that gives a number of people each month, and no sketch."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo shows."""

    group: Group
    report: Report
    last: Measured
    compared: list[FigureBesideTruth]
    tests: list[LicenceTest]
    released: list[LicenceTest]
    people: int
    """Hashed for it."""


def months_until(now: datetime) -> list[date]:
    """Months from the first to the one before this; raises `RefusedError` where there is none."""
    if now.date() < month_after(FIRST):
        raise refused(
            Code.RANGE_EMPTY,
            "the demo",
            "begins with a month that isn't over",
            f"{FIRST:%Y-%m}",
            "play it on 2023-07-01 or later",
        )
    return months_between(FIRST, month_before(now.date()))


def play(directory: Path, now: datetime, scale: float, progress: Progress) -> DemoResult:
    """Make the group and its people, hand in what its affiliates would, count, and compare."""
    months = months_until(now)
    git_activity.copy(directory, NAME)
    for stale in (".mauwatch", "data"):  # Of an earlier demo, whose people were others: their months were.
        shutil.rmtree(directory / stale, ignore_errors=True)
    population = _population(directory)
    # Scaled before anybody is made: a small demo is the same group with fewer people in each pattern.
    population = population.scaled(scale)
    plain = read_group(directory)
    keys = Keyring(plain.settings, directory)
    progress("people with identifiers", 0, 1)
    simulation = Simulation(population, plain, keys.key(months[-1]), months)
    group = _with_counts(directory, simulation, scale)
    if simulation.crosswalk is not None:
        # Of all months, and under the one key: said in the file, the key can be compared.
        said = Statement(key_fingerprint=keys.fingerprint(months[-1]))
        (directory / "crosswalk.parquet").write_bytes(table_bytes(replace(simulation.crosswalk, statement=said)))
    _hand_in(directory, group, keys, simulation, now, progress)
    days = simulation.days()
    for number, (day, events) in enumerate(
        zip(days, ordered(lambda day: simulation.events(_RAW, day), days, at_once=1), strict=True)
    ):
        progress(f"events of {_RAW}", number, len(days))
        events.write_parquet(directory / "data" / f"points-{day}.parquet", mkdir=True)
    (directory / "truth.json").write_text(json.dumps(_truths(simulation, group), indent=1), encoding="utf-8")
    # The sketches of all months are memory that the run doesn't need, whose peak is measured.
    simulation.forget()
    report = run(directory, group, now, months[-1], days[-1], progress)
    reading = group.readings.readings[0]
    known = {m.inputs.digest: m for m in report.measured.values()}
    compared: list[FigureBesideTruth] = []
    with open_store(group.settings.store, directory) as store:
        for number, month in enumerate(months):
            progress(f"{month:%Y-%m} beside the truth", number, len(months))
            inputs = gather(store, group, month, reading)
            last = known.get(inputs.digest) or measure.measure(store, group, inputs)
            compared += _compared(last, simulation)
        # The month after the newest figures, and the one after this, whose test nobody can know yet.
        next_ones = [release_tests.if_released(month_after(m)) for m in (months[-1], month_of(now.date()))]
        released = list(release_tests.run_tests(store, group, next_ones, known))
    people = sum(p.people + p.left for p in population.patterns)
    return DemoResult(group, report, last, compared, _first_of_all(report), released, people)


def _population(directory: Path) -> Population:
    """The demo's people. Raises `RefusedError` with every mistake in population.yaml."""
    mistakes: list[Refusal] = []
    population = parse(Population, load(directory, directory / "population.yaml", mistakes), mistakes)
    if population is None:
        raise RefusedError(*mistakes)
    return population


def _first_of_all(report: Report) -> list[LicenceTest]:
    """The tests of the family that this is for first of all; the others are shown by `mauwatch licences`."""
    return [test for test in report.tests if test.licence.entry.family == release_tests.LLAMA]


def _with_counts(directory: Path, simulation: Simulation, scale: float) -> Group:
    """Write into their manifests what affiliates attest: the counts of a product each month, and the ceiling of another."""
    ceiling = directory / "affiliates" / "retail.yaml"
    text = ceiling.read_text(encoding="utf-8")
    ceiling.write_text(text.replace(f"users: {CEILING}", f"users: {round(CEILING * scale)}"), encoding="utf-8")
    path = directory / "affiliates" / "mobile.yaml"
    lines = ["    counts:"]
    for month in simulation.history.months:
        users = simulation.truth(month, [_COUNTED]).people
        text = f"month: {month:%Y-%m}, users: {users}, unit: people, document: call records, attested_by: head of billing"
        lines.append(f"      - {{{text}}}")
    path.write_text(path.read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")
    return read_group(directory)


def _hand_in(directory: Path, group: Group, keys: Keyring, simulation: Simulation, now: datetime, progress: Progress) -> None:
    """Every affiliate's contributions, as files and by the one way in: whole months, and the last by days."""
    digest = simulation.crosswalk.digest if simulation.crosswalk else NO_CROSSWALK
    with (
        open_store(group.settings.store, directory, create=True) as store,
        TemporaryDirectory(prefix="mauwatch-demo-") as folder,
    ):

        def written() -> Iterator[Path]:
            months = simulation.history.months
            for number in range(len(months) - 1):
                progress(f"{months[number]:%Y-%m} by its whole month", number, len(months))
                simulation.advance()
                yield write(simulation.monthly(now))
            simulation.advance()
            products = [pair for pair in simulation.products(months[-1]) if not pair[1].sources]
            for number, (ref, product) in enumerate(products):
                progress(f"{months[-1]:%Y-%m} by days, {ref}", number, len(products))
                yield write(simulation.daily(ref, product, now))

        def write(contributions: Iterable[Contribution]) -> Path:
            path = Path(folder) / f"{next(numbers)}.parquet"
            contract.write(path, contributions)
            return path

        def receive(path: Path) -> None:
            store.append_contributions(acceptance.accept([path], group, keys.canaries, lambda month: digest, now), now)
            path.unlink()

        numbers = itertools.count()
        # One file is received while the next is written.
        with ThreadPoolExecutor(1) as executor:
            received: Future[None] | None = None
            for path in written():
                # At most one file waits: a faster writer would fill the disk with files of 20 products.
                if received:
                    received.result()
                received = executor.submit(receive, path)
            if received:
                received.result()


def _scopes(group: Group, month: date) -> tuple[dict[str, list[str]], list[str]]:
    """By affiliate, its products in a month; and all of them. As the group is on the month's last day."""
    last = month_end(month)
    members = {m: [str(ProductRef(m, p.product)) for p in group.entities[m].products] for m in group.affiliates(last)}
    return {m: products for m, products in members.items() if products}, [
        p for member_products in members.values() for p in member_products
    ]


def _truths(simulation: Simulation, group: Group) -> dict[str, object]:
    truths: dict[str, object] = {}
    for month in simulation.history.months:
        affiliates, products = _scopes(group, month)
        truths[f"{month:%Y-%m}"] = {
            "group": simulation.truth(month, products).people,
            "affiliates": {
                name: simulation.truth(month, affiliate_products).people for name, affiliate_products in affiliates.items()
            },
            "products": {name: simulation.truth(month, [name]).people for name in products},
        }
    return truths


def _compared(measured: Measured, simulation: Simulation) -> Iterator[FigureBesideTruth]:
    month = measured.inputs.month
    group = simulation.group
    affiliates, products = _scopes(group, month)
    yield FigureBesideTruth(month, group.settings.name, measured.group, _truth(simulation, month, products))
    for name, figure in measured.affiliates.items():
        yield FigureBesideTruth(month, name, figure, _truth(simulation, month, affiliates[name]))
    for name, figure in measured.products.items():
        yield FigureBesideTruth(month, name, figure, _truth(simulation, month, [name]))


def _truth(simulation: Simulation, month: date, products: Collection[str]) -> Truth:
    """The true people of products, and as many as they seem to be taken apart: whoever is in the count is somebody else again."""
    truth = simulation.truth(month, products)
    counted = simulation.truth(month, [_COUNTED]).people if _COUNTED in products else 0
    return truth._replace(apart=truth.apart + counted)


def to_dict(shown: DemoResult) -> dict[str, object]:
    """The answer of `demo --json`, but for the last month's figures."""
    return {
        "truth": [
            {
                "month": f"{c.month:%Y-%m}",
                "subject": c.subject,
                "truth": c.truth.people,
                "by_definition": c.truth.apart,
                "estimate": c.figure.estimate,
                "lower": c.figure.lower,
                "upper": c.figure.upper,
                "holds": c.holds,
            }
            for c in shown.compared
        ],
        "licences": [t.to_dict() for t in shown.tests],
        "released": [t.to_dict() for t in shown.released],
    }
