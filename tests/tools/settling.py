"""Tries what would settle each undetermined test of a group: `python -m tests.tools.settling GROUP [YYYY-MM ...]`.

For each month, reading and subject (the group, each affiliate, each product), at thresholds all over its range: each way that is
named is put in, with made-up people, and the figures are counted anew by counting's own code. Prints how many ways were tried,
and each one that doesn't give what is said; then the exit code is 1.
"""

import sys
from collections import Counter
from datetime import date
from pathlib import Path

from affiliates.manifests.loader import read_group
from affiliates.periods import month_from_text
from pipelines.figures.months import Months
from pipelines.licences import release_tests
from pipelines.licences.entry import Clause
from pipelines.store import contributions
from tests.support.brought import Limits, result_with

PARTS = 2
"""Thresholds per range: its beginning, and so many parts further on."""


def main() -> int:
    """Try all of a group's months that are named, or its newest one."""
    directory = Path(sys.argv[1])
    group = read_group(directory)
    tried = Counter[str]()
    wrong = 0
    with contributions.open_store(group.settings.store, directory) as store, store.snapshot() as fixed:
        months = Months(fixed, group)
        named = [month_from_text(text) for text in sys.argv[2:]] or store.read_months()[-1:]
        for month in named:
            wrong += _try_month(months, month, tried)
    for what, number in sorted(tried.items()):
        print(f"{number:6,} {what}")
    print(f"{sum(tried.values()):6,} ways tried, {wrong} of them wrong")
    return 1 if wrong or not tried else 0


def _try_month(months: Months, month: date, tried: Counter[str]) -> int:
    """Try a month's ways, counting them by subject and result; gives how many don't give what is said."""
    wrong = 0
    for reading in months.group.readings.readings:
        measured = months.figures_of(month, reading)
        if measured is None:
            continue
        affiliates = [[name for name in measured.products if name.startswith(f"{entity}/")] for entity in measured.affiliates]
        for names in [None, *affiliates, *([name] for name in measured.products)]:
            people = months.count_people(measured, reading, names)
            if people is None:
                continue
            top = people.upper or 2 * people.lower + 100
            for threshold in sorted({max(people.lower + (top - 1 - people.lower) * i // PARTS, 1) for i in range(PARTS + 1)}):
                clause = Clause(
                    id="mau",
                    metric="monthly_active_users",
                    threshold=threshold,
                    comparator="gt",
                    unit="users",
                    measured="any_month",
                )
                result = release_tests.result_of_count(clause, people, record=False)
                settling = release_tests.explained(months, result, clause, [people], names).settling
                for way in settling.ways if settling else ():
                    for outcome in way.results:
                        kind = "group" if names is None else "affiliate" if len(names) > 1 else "product"
                        tried[f"{reading.name}, {kind}, {'+'.join(sorted({c.kind for c in way.causes}))}: {outcome}"] += 1
                        got = result_with(
                            months.store,
                            months.group,
                            measured.inputs,
                            names,
                            way.causes,
                            outcome == "under",
                            Limits(threshold, "gt"),
                        )
                        if got != outcome:
                            wrong += 1
                            print(
                                f"{month:%Y-%m}, {reading.name}, {names or 'group'}, {threshold:,}: {outcome} said, {got} found"
                            )
                            print("   ", [cause.what for cause in way.causes])
    return wrong


if __name__ == "__main__":
    sys.exit(main())
