"""Published outlooks: what was expected of a threshold after a month, drawn once and read by alerts, `forecast` and pages.

An outlook answers one question: of a reading, a subject and a threshold, after a month. The last row of a question is in force.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from pipelines.store import schema
from pipelines.store.engine import Store
from pipelines.store.shown_schema import outlook_months, outlooks
from pipelines.store.versions import last_id

_QUESTION = ("month", "reading", "subject", "threshold")
_TEXTS = ("notes", "left_out")
"""Columns that hold a text a line."""


@dataclass(frozen=True)
class OutlookMonth:
    """One month of an outlook, a row of `outlook_months`: quantiles in users, and probabilities.

    By the range: with the doubt that the newest month's bounds leave, most of which is who is one person. By the estimate: as if
    the newest estimate were the truth, so by growth's doubt alone.
    """

    month: date
    """The month's first day."""
    p2_5: float
    p10: float
    p50: float
    p90: float
    p97_5: float
    p2_5_by_estimate: float
    p10_by_estimate: float
    p50_by_estimate: float
    p90_by_estimate: float
    p97_5_by_estimate: float
    over: float
    """Probability of being over in this month, by the range."""
    over_by_estimate: float
    crossed: float
    """Probability that this month, or one before it after the outlook's own, is over, by the range."""
    crossed_by_estimate: float


@dataclass(frozen=True)
class DecideBy:
    """When to decide at a stated probability of crossing."""

    doubt: str
    """`range` or `estimate`, as `OutlookMonth` tells the two apart."""
    probability: float
    crossing: date | None
    """First day of the month by which the threshold is crossed with this probability; null where not within the horizon."""
    days: dict[str, date]
    """By lead time of alerts.yaml (`licence_request`, `migration`), the last day to decide; empty without a crossing."""


@dataclass(frozen=True)
class PublishedOutlook:
    """An outlook as it was published: a row of `outlooks` with its months. Numbers are users; no part of it is evidence."""

    month: date
    """First day of the last month that it rests on."""
    reading: str
    subject: str
    """An affiliate, or affiliate/product; empty for the whole group."""
    threshold: int
    basis: str
    """SHA-256 of all that it rests on."""
    estimate: int
    lower: int | None
    upper: int | None
    over_now: float
    """Probability that the month itself is over, by its range."""
    within_quarter: float
    """Probability that one of the next three months is over, by the range."""
    within_year: float
    not_within: float
    """Probability that no month of the horizon is over, by the range."""
    not_within_by_estimate: float
    crossing: date | None
    """First day of the month by which it is passed with even odds, by the range; null where not within the horizon."""
    decisions: tuple[DecideBy, ...]
    notes: tuple[str, ...]
    """What a reader has to know of it, with the basis of the probabilities in words."""
    left_out: tuple[str, ...]
    """Months that are no evidence, and why."""
    known_at: datetime
    """When it was published."""
    months: tuple[OutlookMonth, ...]
    """Its own month, and those to come, the nearest first."""

    @property
    def ahead(self) -> tuple[OutlookMonth, ...]:
        """The months to come."""
        return self.months[1:]

    @property
    def first_passage(self) -> dict[date, float]:
        """By month to come, the probability that it is the first one over, by the range: the crossing's distribution."""
        # Crossed grows from month to month: what it grows by is the chance of being the first.
        before = [0.0, *(month.crossed for month in self.ahead)]
        return {month.month: month.crossed - passed for month, passed in zip(self.ahead, before, strict=False)}

    @property
    def first_passage_by_estimate(self) -> dict[date, float]:
        """The same by the estimate."""
        before = [0.0, *(month.crossed_by_estimate for month in self.ahead)]
        return {month.month: month.crossed_by_estimate - passed for month, passed in zip(self.ahead, before, strict=False)}


def append(store: Store, outlook: PublishedOutlook) -> None:
    """Store an outlook; with a store that writes, in its transaction."""
    row = {field.name: getattr(outlook, field.name) for field in fields(outlook) if field.name not in ("months", "decisions")}
    row |= {name: "\n".join(row[name]) for name in _TEXTS}
    # Days are texts in JSON; `_decision` makes them days again.
    row["decisions"] = json.dumps([asdict(decision) for decision in outlook.decisions], default=str)
    with store.writing() as connection:
        # Safe within the writer's turn: nobody else gives numbers meanwhile.
        number = last_id(connection, outlooks) + 1
        connection.execute(outlooks.insert(), [{**row, "id": number}])
        connection.execute(outlook_months.insert(), [{**asdict(month), "outlook": number} for month in outlook.months])


def of_month(store: Store, month: date, reading: str, subject: str, threshold: int) -> PublishedOutlook | None:
    """The outlook in force after a month; null where none is published."""
    values = dict(zip(_QUESTION, (month, reading, subject, threshold), strict=True))
    wanted = sa.select(outlooks).where(*(outlooks.c[name] == value for name, value in values.items()))
    return _first(store, wanted.order_by(outlooks.c.id.desc()).limit(1))


def newest(store: Store, reading: str, subject: str, threshold: int) -> PublishedOutlook | None:
    """The outlook in force after the newest month that has one; null where none is published."""
    values = {"reading": reading, "subject": subject, "threshold": threshold}
    wanted = sa.select(outlooks).where(*(outlooks.c[name] == value for name, value in values.items()))
    return _first(store, wanted.order_by(outlooks.c.month.desc(), outlooks.c.id.desc()).limit(1))


def thresholds(store: Store, reading: str) -> list[tuple[str, int]]:
    """The subjects and thresholds that outlooks are published of, under a reading; the whole group's first."""
    question = outlooks.c.subject, outlooks.c.threshold
    wanted = sa.select(*question).where(outlooks.c.reading == reading).distinct().order_by(*question)
    with store.reading() as connection:
        return [(row.subject, row.threshold) for row in connection.execute(wanted)]


def history(store: Store, reading: str, subject: str, threshold: int) -> list[PublishedOutlook]:
    """The outlook in force after each month, in order, without the months to come: how the probabilities have changed."""
    values = {"reading": reading, "subject": subject, "threshold": threshold}
    same = [outlooks.c[name] == value for name, value in values.items()]
    # Each month's last row, not each row: an outlook that was drawn anew was of other figures.
    latest = schema.current(outlooks, *_QUESTION).where(*same)
    wanted = sa.select(outlooks).where(outlooks.c.id.in_(latest)).order_by(outlooks.c.month)
    with store.reading() as connection:
        return [_outlook(dict(row), ()) for row in connection.execute(wanted).mappings()]


def _first(store: Store, wanted: sa.Select[Any]) -> PublishedOutlook | None:
    with store.reading() as connection:
        row = connection.execute(wanted).mappings().first()
        if row is None:
            return None
        columns = [outlook_months.c[field.name] for field in fields(OutlookMonth)]
        of_outlook = sa.select(*columns).where(outlook_months.c.outlook == row["id"]).order_by(outlook_months.c.month)
        return _outlook(dict(row), [OutlookMonth(*month) for month in connection.execute(of_outlook)])


def _outlook(row: dict[str, Any], months: Sequence[OutlookMonth]) -> PublishedOutlook:
    del row["id"]
    texts = {name: tuple(row[name].splitlines()) for name in _TEXTS}
    decisions = tuple(_decision(fields_) for fields_ in json.loads(row["decisions"]))
    return PublishedOutlook(**{**row, **texts, "decisions": decisions, "months": tuple(months)})


def _decision(fields_: dict[str, Any]) -> DecideBy:
    crossing = fields_["crossing"]
    days = {name: date.fromisoformat(day) for name, day in fields_["days"].items()}
    return DecideBy(**{**fields_, "crossing": date.fromisoformat(crossing) if crossing else None, "days": days})
