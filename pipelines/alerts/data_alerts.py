"""What alerts about data are about: months that can't be compared with those before, and months that are overdue.

A subject of such an alert is a line of text, and begins with a month where the alert is about one: "2025-03 a/app: seen.2".
The store keeps the lines, and tells by them which subjects are new and which have gone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import NamedTuple

from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, month_before, month_end, month_of
from pipelines.alerts import expectations
from pipelines.alerts.recent_months import RecentMonths
from pipelines.counting.convention import comparable
from pipelines.counting.missing import day_ranges
from pipelines.figures import comparability
from pipelines.records import PublishedMonth
from pipelines.store import published_figures
from pipelines.store.engine import Store

EVERYBODY = "all"
"""Stands in a subject for every product: a month that was counted by another method."""


class MonthSubject(NamedTuple):
    """A subject of an alert about months, read from its text."""

    month: str
    """As YYYY-MM."""
    rest: str
    """What the text says after the month; empty for the whole group."""

    @classmethod
    def from_text(cls, text: str) -> "MonthSubject":
        """The parts of "2025-03 a/app: seen.2"; of another text, parts that no month equals."""
        return cls(text[:7], text[8:])


def changed_definitions(store: Store, months: RecentMonths) -> list[str]:
    """Subjects: recent months in which a product called something else active than in the month before, or that were counted by
    another method."""
    recent = {past.month: published_figures.definitions(store, past.month) for past in months.recent()}
    methods = {past.month: past.method for past in months.past()}
    changes = list[str]()
    for month, labels_by_product in recent.items():
        before = month_before(month)
        labels_before = recent.get(before) or (published_figures.definitions(store, before) if labels_by_product else {})
        for product, labels in sorted(labels_by_product.items()):
            # A product without a month before is new, and its definition no change.
            new = comparability.new_definitions(labels_before.get(product, labels), labels)
            changes += [f"{month:%Y-%m} {product}: {label}" for label in new]
        if comparable(methods.get(before, methods[month])) != comparable(methods[month]):
            changes.append(f"{month:%Y-%m} {EVERYBODY}: counted by method {methods[month]}")
    return changes


def jumps(months: RecentMonths, group: Group, reading: Reading, subject: str | None) -> dict[str, str]:
    """Recent months too far from the month that they are compared with: by subject, a line that says how far."""
    past = months.past(subject)
    recent = months.recent(subject)
    far = {}
    for number, last in enumerate(past):
        until_then = past[: number + 1]
        if last not in recent or not expectations.is_jump(until_then, group.alerting.jump):
            continue
        before = expectations.comparison_month(until_then)
        # A launch or an acquisition is no error of counting: doubted, it would hide the crossing that it is.
        if before is None or _is_another_group(group, reading, subject, before, last):
            continue
        people = last.estimate or last.lower
        name = f"{last.month:%Y-%m} {subject or ''}".strip()
        step = people / (before.estimate or 1) - 1
        far[name] = f"{name}: {people:,} people, {step:+.1%} since {before.month:%Y-%m}"
    return far


def _is_another_group(group: Group, reading: Reading, subject: str | None, before: PublishedMonth, last: PublishedMonth) -> bool:
    """Whether the manifests say why two months differ: an affiliate that joined or left, or, of a part of the group, a product
    that didn't live through both."""

    def members(month: date) -> set[str]:
        affiliates = group.affiliates(month_end(month), reading.control_share)
        return {name for name in affiliates if group.entities[name].products}

    if subject is None:
        return members(before.month) != members(last.month)
    products = [product for ref, product in group.products.items() if ref.belongs_to(subject)]
    return any(p.from_ > before.month or (p.to is not None and p.to <= month_end(last.month)) for p in products)


def overdue(months: RecentMonths, group: Group, reading: Reading) -> Iterator[str]:
    """Subjects: months that are over, have settled, and have no upper bound or no figure at all."""
    bounded = {past.month for past in months.past() if past.upper is not None}
    month = month_of(months.today)
    while month_end(month := month_before(month)) >= months.since:
        last = month_end(month)
        members = group.affiliates(last, reading.control_share)
        due = [p for member in members for p in group.entities[member].products if p.due_between(month, last)]
        slowest = max((product.settles_after for product in due), default=0)
        # Not on the very day on which the month settles: a run of that day may still publish the month.
        if due and month not in bounded and months.today > last + DAY * (slowest + 1):
            yield f"{month:%Y-%m}"


def missing_days(missing: Mapping[str, Sequence[date]], group: Group) -> dict[str, str]:
    """By subject (a month and a product), a line that names the days and who answers for the product.

    Each month is a subject of its own: whoever knows of the days of one month hasn't heard of the next one's.
    """
    lines = {}
    for product, days in missing.items():
        owner = group.alerting.owner(ProductRef.parse(product))
        for month, of_month in groupby(sorted(days), key=month_of):
            named = list(of_month)
            subject = f"{month:%Y-%m} {product}"
            number = f"{len(named)} day{'s' * (len(named) > 1)} missing ({day_ranges(named)})"
            lines[subject] = f"{subject}: {number}" + (f", {owner}" if owner else "")
    return lines


def is_about(product: str, subject: str | None) -> bool:
    """Whether a product that a subject's text names belongs to a rule's subject; `all` does to every one."""
    return subject is None or product == EVERYBODY or ProductRef.parse(product).belongs_to(subject)
