"""The door to a product's periods as the store has them: how many users and events, and what they take up."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain
from pipelines.records import PERIOD_COLUMNS
from pipelines.store import schema
from pipelines.store.engine import Store

COUNTED = ("external", "internal")
"""Audiences whose users and events are told; automated ones are nobody's."""


@dataclass(frozen=True)
class ProductDay:
    """The current contribution of a product and a period, in numbers."""

    ref: ProductRef
    grain: Grain
    day: date
    """The day, or the month's first day."""
    users: int | None
    """External and internal, added over namespaces; null where the store never noted its sketches' estimates."""
    events: int | None
    """Of these users; null if not known."""
    stored_bytes: int
    """Of all of its sketches, as they are packed."""
    lg_k: int
    """The lowest among its sketches."""


def read(store: Store, ref: ProductRef, grain: Grain, first: date, last: date) -> list[ProductDay]:
    """The product's periods of this grain from `first` to `last` (first days, both included), in order."""
    c = schema.contributions.c
    p = schema.parts.c
    s = schema.sketches.c
    wanted = c.affiliate == ref.affiliate, c.product == ref.product, c.grain == grain, c.activity_date.between(first, last)
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(*wanted, c.ahead.is_(False))
    rows = (
        sa.select(c.activity_date, p.audience, p.estimate, p.events, sa.func.coalesce(sa.func.length(s.image), 0), s.lg_k)
        .select_from(schema.contributions)
        .join(schema.parts, p.contribution_id == c.id)
        .join(schema.sketches, s.digest == p.sketch)
        .where(c.id.in_(latest))
        .order_by(c.activity_date)
    )
    parts: dict[date, list[tuple[str, int | None, int | None, int, int]]] = defaultdict(list)
    with store.reading() as connection:
        for day, *part in connection.execute(rows):
            parts[day].append(tuple(part))
    return [
        ProductDay(
            ref,
            grain,
            day,
            _sum([users for audience, users, _, _, _ in each if audience in COUNTED]),
            _sum([events for audience, _, events, _, _ in each if audience in COUNTED]),
            sum(size for *_, size, _ in each),
            min(lg_k for *_, lg_k in each),
        )
        for day, each in parts.items()
    ]


def read_events(store: Store, ref: ProductRef, grain: Grain, next_epoch: bool = False) -> dict[date, int]:
    """By period, how many events its contribution was made of, of every audience and identified or not; without those
    that don't say it. `next_epoch`: its second one, under the coming epoch's key."""
    c = schema.contributions.c
    p = schema.parts.c
    ours = c.affiliate == ref.affiliate, c.product == ref.product, c.grain == grain, c.ahead.is_(next_epoch)
    events = (
        sa.select(c.activity_date, sa.func.sum(p.events), c.unidentified_events, sa.func.count() - sa.func.count(p.events))
        .join_from(schema.contributions, schema.parts, p.contribution_id == c.id)
        .where(c.id.in_(schema.current(schema.contributions, *PERIOD_COLUMNS).where(*ours)))
        .group_by(c.id, c.activity_date, c.unidentified_events)
    )
    with store.reading() as connection:
        return {
            day: int(known) + others
            for day, known, others, silent in connection.execute(events)
            if others is not None and not silent
        }


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None
