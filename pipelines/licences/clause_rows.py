"""Results of tests as the rows that pages read: of releases and of all other clauses alike, with what would settle each."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from pipelines.hash_chain import canonical
from pipelines.licences.clause_tests import ClauseTest
from pipelines.licences.entry import Clause
from pipelines.licences.outcome import ReadingResult, Result
from pipelines.licences.release_tests import LicenceTest

Row = dict[str, Any]
"""Values of the table `clause_results` by column name."""


def of_releases(tests: Iterable[LicenceTest], now: datetime) -> Iterator[Row]:
    """The rows of tests at a release."""
    for test in tests:
        licence = test.licence
        about = {"licence": licence.id, "licensee": test.licensee, "product": "", "month": licence.measured_month}
        for reading, result in test.readings.items():
            yield {**about, **_result(licence.clause, reading, result, {}), "known_at": now}


def of_clauses(tests: Iterable[ClauseTest], now: datetime) -> Iterator[Row]:
    """The rows of all other tests."""
    for test in tests:
        product = str(test.subject.product) if test.subject.product else ""
        about = {"licence": test.entry.id, "licensee": test.subject.licensee, "product": product, "month": test.month}
        for reading, result in test.readings.items():
            by_month = dict(test.months.get(reading, {}))
            # The month that is about to be published is in no publication yet.
            if by_month and test.month and test.month not in by_month and result.lower is not None:
                by_month[test.month] = result.without_grants or result.result
            yield {**about, **_result(test.clause, reading, result, by_month), "known_at": now}


def _result(clause: Clause, reading: str, result: ReadingResult, by_month: Mapping[date, Result]) -> Row:
    return {
        "clause": clause.id,
        "reading": reading,
        "threshold": clause.threshold,
        "comparator": clause.comparator,
        "result": result.result,
        "without_grants": result.without_grants,
        "of_record": result.of_record,
        "complete": result.complete,
        "estimate": result.estimate,
        "lower": result.lower,
        "upper": result.upper,
        "settled_by": "\n".join(result.settled_by),
        "settling": canonical(result.settling.to_dict()) if result.settling else None,
        "why": "\n".join(result.why),
        "by_month": canonical({f"{month:%Y-%m}": found for month, found in sorted(by_month.items())}),
    }
