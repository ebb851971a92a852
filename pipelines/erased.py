"""What was erased isn't contributed again by itself: only once somebody has allowed it by name."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from affiliates.model import period_end
from affiliates.refusal import Refusal
from pipelines import schema
from pipelines.versions import Accepted, Period, Version, period

ERASED, ALLOWED = "erased", "allowed"
"""Kinds of `erasures`."""

DAY = timedelta(1)


class Erased(NamedTuple):
    """That a period's sketches were erased, or just these registers."""

    at: datetime
    by: str


def not_again(connection: sa.Connection, received: Sequence[Accepted], current: Mapping[Period, Version]) -> dict[Period, Erased]:
    """The contributions that may not be stored: of a period that was erased, in whichever grain, or with the very registers
    of an erased sketch, and nobody has allowed this period since."""
    e = schema.erasures.c
    orders = connection.execute(sa.select(e.kind, e.affiliate, e.product, e.first_day, e.last_day, e.signed_by, e.known_at)).all()
    if not orders:
        return {}
    by = {order.known_at: order.signed_by for order in orders if order.kind == ERASED}
    gone = _erased_digests(connection, [part.registers.digest() for a in received for part in a.contribution.parts])
    erased = defaultdict[tuple[str, str], list[Version]](list)
    for version in current.values():
        if version.erased_at is not None:
            erased[version.affiliate, version.product].append(version)
    found: dict[Period, Erased] = {}
    for contribution, *_ in received:
        first, last = span(contribution.grain, contribution.activity_date)
        moments = [gone[d] for part in contribution.parts if (d := part.registers.digest()) in gone]
        for version in erased[contribution.affiliate, contribution.product]:
            its_first, its_last = span(version.grain, version.activity_date)
            if version.erased_at and its_first <= last and first <= its_last:
                moments.append(version.erased_at)
        allowed = [
            o.known_at for o in orders
            if o.kind == ALLOWED and (o.affiliate, o.product) == (contribution.affiliate, contribution.product)
            and o.first_day <= first and last <= o.last_day
        ]  # fmt: skip
        if moments and not any(at > max(moments) for at in allowed):
            found[period(contribution)] = Erased(max(moments), by.get(max(moments), "somebody"))
    return found


def span(grain: str, activity_date: date) -> tuple[date, date]:
    """A period's first and last day."""
    return activity_date, period_end(grain, activity_date) - DAY


def refusals(found: Mapping[Period, Erased]) -> Iterator[Refusal]:
    """Why these aren't stored, product by product."""
    of_product = defaultdict[tuple[str, str], list[Period]](list)
    for about in found:
        of_product[about[0], about[1]].append(about)
    for (affiliate, product), periods in of_product.items():
        name, told = f"{affiliate}/{product}", max(found[about] for about in periods)
        first, last = min(day for *_, day in periods), max(span(grain, day)[1] for *_, grain, day in periods)
        yield Refusal(
            name, "was erased, so it isn't stored again",
            f"{len(periods)} period{'s' * (len(periods) > 1)} from {first} to {last}, by {told.by} on {told.at:%Y-%m-%d}",
            f"if it is to be: mauwatch erase {name} --from {first} --to {last} --allow-again --by NAME --reason TEXT; then "
            "contribute it again",
        )  # fmt: skip


def _erased_digests(connection: sa.Connection, digests: Sequence[str]) -> dict[str, datetime]:
    s, found = schema.sketches.c, dict[str, datetime]()
    for start in range(0, len(digests), 500):
        some = s.digest.in_(digests[start : start + 500])
        rows = connection.execute(sa.select(s.digest, s.erased_at).where(some, s.erased_at.is_not(None)))
        found |= {row.digest: row.erased_at for row in rows}
    return found
