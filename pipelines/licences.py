"""Licence clauses as data, their tests, and results under each reading.

The texts leave "affiliate", "active" and "unique" undefined, so how they are read is configuration:
each test is shown under every reading. This module states facts and results; it gives no legal
advice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from affiliates.group import Group, Reading
from affiliates.model import Model
from affiliates.refusal import Refusal
from affiliates.sketch_image import MAX_LG_K
from pipelines import counting, published
from pipelines.publications import Publication
from pipelines.warehouse import Warehouse

Result = Literal["under", "over", "undetermined", "not_measured", "granted", "exempt"]


class Clause(Model):
    """What a licence asks of user numbers."""

    section: str
    metric: Literal["monthly_active_users"]
    threshold: int
    comparator: Literal["gt"]
    """gt: strictly more than the threshold is over it."""
    measured_period: Literal["calendar_month_before_release"]
    whose: str
    products: str
    tested_again: bool
    effect_over: str
    undefined: tuple[str, ...]


class Licence(Model):
    """One model version's licence."""

    id: str
    name: str
    licensor: str
    evidence: str
    released: date
    clause: Clause
    source: str
    supposed: bool = False
    """No such version is out: the clause is the newest one's."""

    @property
    def measured_month(self) -> date:
        """First day of the month that the clause tests."""
        return (self.released.replace(day=1) - timedelta(1)).replace(day=1)


@dataclass(frozen=True)
class Outcome:
    """A test's result under one reading."""

    result: Result
    estimate: int | None
    lower: int | None
    upper: int | None
    of_record: bool
    settled_by: tuple[str, ...]
    """What would settle an undetermined or not measured test."""

    def to_dict(self) -> dict[str, Any]:
        return vars(self) | {"settled_by": list(self.settled_by)}


@dataclass(frozen=True)
class LicenceTest:
    """A licence tested for a licensee under each reading."""

    licence: Licence
    licensee: str
    readings: dict[str, Outcome]

    def to_dict(self) -> dict[str, Any]:
        return {
            "licence": self.licence.id,
            "licensee": self.licensee,
            "released": self.licence.released.isoformat(),
            **({"supposed": True} if self.licence.supposed else {}),
            "measured_month": f"{self.licence.measured_month:%Y-%m}",
            "threshold": self.licence.clause.threshold,
            "readings": {name: outcome.to_dict() for name, outcome in self.readings.items()},
        }


@cache
def registry() -> tuple[Licence, ...]:
    """The built-in licences, by release date."""
    folder = Path(__file__).parent / "licences"
    found = [
        Licence.model_validate(entry)
        for path in sorted(folder.glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["licences"]
    ]
    return tuple(sorted(found, key=lambda licence: licence.released))


def decide(threshold: int, lower: int | None, upper: int | None) -> Result:
    """The result of "more than `threshold`": without an upper bound nothing is `under`."""
    if upper is not None and upper <= threshold:
        return "under"
    if lower is not None and lower > threshold:
        return "over"
    return "undetermined"


def if_released(day: date) -> Licence:
    """A version that doesn't exist, released on a day under the newest version's clause."""
    newest = registry()[-1]
    name = f"a version released on {day}, with the clause of {newest.name}"
    return newest.model_copy(update={"id": f"as {newest.id}", "name": name, "released": day, "supposed": True})


def run_tests(
    warehouse: Warehouse,
    group: Group,
    found: Sequence[Licence] | None = None,
    measured: Mapping[str, counting.Measured] | None = None,
    anew: bool = False,
) -> Iterator[LicenceTest]:
    """Each licence's test (by default the registry's) for the whole group, with the ultimate parent as licensee.

    A month that was signed is tested by its signed figures, and by what they could rest on alone.
    `measured`: what is known already, by the digest of its inputs; `anew`: as if no month were signed.
    """
    known, signed = dict(measured or {}), {} if anew else published.signed_months(warehouse)
    for licence in registry() if found is None else found:
        stands = signed.get(licence.measured_month, {})
        outcomes = {
            reading.name: _outcome(warehouse, group, licence, reading, known, stands.get(reading.name))
            for reading in group.readings.readings
        }
        yield LicenceTest(licence, group.settings.ultimate_parent, outcomes)


def rows(tests: Sequence[LicenceTest], now: datetime) -> list[dict[str, Any]]:
    """The rows of the table `licence_tests`."""
    return [
        {
            "licence": test.licence.id, "licensee": test.licensee, "reading": name, "released": test.licence.released,
            "measured_month": test.licence.measured_month, "threshold": test.licence.clause.threshold,
            "result": o.result, "estimate": o.estimate, "lower": o.lower, "upper": o.upper,
            "of_record": o.of_record, "known_at": now,
        }
        for test in tests for name, o in test.readings.items()
    ]  # fmt: skip


def _outcome(
    warehouse: Warehouse,
    group: Group,
    licence: Licence,
    reading: Reading,
    known: dict[str, counting.Measured],
    signed: Publication | None,
) -> Outcome:
    month, threshold = licence.measured_month, licence.clause.threshold
    record = any(r.reading == reading.name and r.holds_on(licence.released) for r in group.readings.of_record)
    on = licence.released if reading.membership == "release_date" else None
    inputs = counting.gather(warehouse, group, month, reading, on, signed.position if signed else None)
    if inputs.is_empty:
        return Outcome("not_measured", None, None, None, record, (f"contributions or counts for {month:%Y-%m}",))
    try:
        # Readings that differ in what they test alone rest on the same figures.
        if signed and signed.inputs == inputs.digest:
            measured = replace(published.read(warehouse, signed, reading), inputs=inputs)
        else:
            measured = known.get(inputs.digest) or known.setdefault(inputs.digest, counting.measure(warehouse, group, inputs))
    except Refusal as refusal:
        return Outcome("not_measured", None, None, None, record, (str(refusal),))
    if reading.counts == "summed_products":
        estimate, lower, upper = measured.summed
    else:
        estimate, lower, upper = measured.group.estimate, measured.group.lower, measured.group.upper
    result = decide(threshold, lower, upper)
    settled_by = _settled_by(measured, reading, threshold) if result == "undetermined" else ()
    return Outcome(result, estimate, lower, upper, record, settled_by)


def _settled_by(measured: counting.Measured, reading: Reading, threshold: int) -> tuple[str, ...]:
    figure = measured.group
    given = [g for g in measured.inputs.given.values() if measured.products[f"{g.affiliate}/{g.product}"].reasons]
    said = [r for r in figure.reasons if not any(r.startswith(f"{g.affiliate}/{g.product}: ") for g in given)]
    said += [f"sketches of {g.affiliate}/{g.product} in the place of its {g.kind}" for g in given]
    low, high = figure.identity_low or 0, figure.identity_high or 0
    if reading.counts == "unique_people" and not given and low <= threshold < high:
        said.append(f"a crosswalk between namespaces: people are from {low:,} to {high:,} by who shares them")
    if figure.lg_k is not None and figure.lg_k < MAX_LG_K and not said:
        said.append(f"sketches of a higher lg_k: the standard error is {figure.standard_error:,.0f} people")
    error = f"{figure.standard_error:,.0f} people"
    return tuple(said) or (f"nothing finer can be measured: the threshold lies within the sketches' error of {error}",)
