"""A product's periods in numbers: users, events, and the space that their sketches take up in the store."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain
from pipelines.records import PERIOD_COLUMNS
from pipelines.store import schema
from pipelines.store.engine import Store

COUNTED = ("external", "internal")
"""Audiences whose users and events are added up; automated users are nobody."""


@dataclass(frozen=True)
class ProductDay:
    """The current contribution of a product and a period, in numbers."""

    ref: ProductRef
    grain: Grain
    day: date
    """The day, or the month's first day."""
    users: int | None
    """External and internal users, added over namespaces; null where a sketch is older than the column of estimates."""
    events: int | None
    """Events of these users; null if not known."""
    stored_bytes: int
    """Of all sketches, as the store keeps them; erased ones take none."""
    lg_k: int
    """The lowest among the sketches."""


def read(store: Store, ref: ProductRef, grain: Grain, first: date, last: date) -> list[ProductDay]:
    """A product's periods of one grain whose first days lie from `first` to `last` (both included), in order.

    The current contributions alone, without days' second ones.
    """
    contribution = schema.contributions.c
    part = schema.parts.c
    sketch = schema.sketches.c
    wanted = (
        contribution.affiliate == ref.affiliate,
        contribution.product == ref.product,
        contribution.grain == grain,
        contribution.activity_date.between(first, last),
    )
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(*wanted, contribution.ahead.is_(False))
    rows = (
        sa.select(
            contribution.activity_date,
            part.audience,
            part.estimate,
            part.events,
            sa.func.coalesce(sa.func.length(sketch.image), 0),
            sketch.lg_k,
        )
        .select_from(schema.contributions)
        .join(schema.parts, part.contribution_id == contribution.id)
        .join(schema.sketches, sketch.digest == part.sketch)
        .where(contribution.id.in_(latest))
        .order_by(contribution.activity_date)
    )
    parts = defaultdict[date, list[_PartNumbers]](list)
    with store.reading() as connection:
        for day, *numbers in connection.execute(rows):
            parts[day].append(_PartNumbers(*numbers))
    return [_product_day(ref, grain, day, of_day) for day, of_day in parts.items()]


class _PartNumbers(NamedTuple):
    """One part of a contribution, without its sketch."""

    audience: str
    users: int | None
    events: int | None
    stored_bytes: int
    lg_k: int


def _product_day(ref: ProductRef, grain: Grain, day: date, parts: Sequence[_PartNumbers]) -> ProductDay:
    counted = [part for part in parts if part.audience in COUNTED]
    return ProductDay(
        ref,
        grain,
        day,
        users=_sum([part.users for part in counted]),
        events=_sum([part.events for part in counted]),
        stored_bytes=sum(part.stored_bytes for part in parts),
        lg_k=min(part.lg_k for part in parts),
    )


def read_earlier_users(store: Store, ref: ProductRef, grain: Grain, first: date, last: date) -> dict[date, int]:
    """By first day, the most users that an earlier version of a period has had; periods without an earlier one are left out.

    Only versions under the settings, the key and the crosswalk of the current one: by other ones the same people are others.
    """
    contribution = schema.contributions.c
    part = schema.parts.c
    alike = (contribution.definition_digest, contribution.key_fingerprint, contribution.crosswalk_digest)
    users = (
        sa.select(contribution.activity_date, *alike, sa.func.sum(part.estimate), sa.func.count() - sa.func.count(part.estimate))
        .join_from(schema.contributions, schema.parts, part.contribution_id == contribution.id)
        .where(
            contribution.affiliate == ref.affiliate,
            contribution.product == ref.product,
            contribution.grain == grain,
            contribution.activity_date.between(first, last),
            contribution.ahead.is_(False),
            part.audience.in_(COUNTED),
        )
        .group_by(contribution.id, contribution.activity_date, *alike)
        .order_by(contribution.id)
    )
    versions = defaultdict[date, list[tuple[object, int | None]]](list)
    with store.reading() as connection:
        for day, definition, key, crosswalk, number, unknown in connection.execute(users):
            versions[day].append(((definition, key, crosswalk), None if unknown else int(number)))
    most = {}
    for day, of_day in versions.items():
        settings = of_day[-1][0]
        earlier = [number for alike_settings, number in of_day[:-1] if alike_settings == settings and number is not None]
        if earlier:
            most[day] = max(earlier)
    return most


def read_events(store: Store, ref: ProductRef, grain: Grain, next_epoch: bool = False) -> dict[date, int]:
    """By first day, the number of events of a period's contribution: of every audience, identified or not.

    Periods without a number of events are left out. `next_epoch`: days' second contributions, under the next epoch's key.
    """
    contribution = schema.contributions.c
    part = schema.parts.c
    ours = (
        contribution.affiliate == ref.affiliate,
        contribution.product == ref.product,
        contribution.grain == grain,
        contribution.ahead.is_(next_epoch),
    )
    events = (
        sa.select(
            contribution.activity_date,
            sa.func.sum(part.events),
            contribution.unidentified_events,
            sa.func.count() - sa.func.count(part.events),
        )
        .join_from(schema.contributions, schema.parts, part.contribution_id == contribution.id)
        .where(contribution.id.in_(schema.current(schema.contributions, *PERIOD_COLUMNS).where(*ours)))
        .group_by(contribution.id, contribution.activity_date, contribution.unidentified_events)
    )
    with store.reading() as connection:
        return {
            # PostgreSQL sums whole numbers as decimals.
            day: int(identified) + unidentified
            for day, identified, unidentified, parts_without_number in connection.execute(events)
            if unidentified is not None and not parts_without_number
        }


def _sum(numbers: Sequence[int | None]) -> int | None:
    """The sum; null where a number isn't known."""
    # SQL's own sum leaves nulls out: a part without a number would pass for one of nobody.
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None
