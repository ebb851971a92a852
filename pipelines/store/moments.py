"""The moments that the store holds, beside the moment that this machine's clock shows.

Nothing can be stored in the future: a stored moment that is still to come shows that this machine's clock is behind, or that a
clock was ahead. What was computed at such a moment may have lacked events that came later.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.periods import LONGEST_RUN, last_day, local_day
from pipelines.records import PERIOD_COLUMNS, StoredContribution, believed
from pipelines.store import publications, schema, versions
from pipelines.store.contribution_rows import copy_of
from pipelines.store.engine import Store
from pipelines.store.publications import Publication
from pipelines.store.versions import last_id

_EAST = timedelta(hours=14)
"""How far the clocks of any zone are ahead of UTC at most."""


@dataclass(frozen=True)
class ComingMoments:
    """What of the store's current content is of a moment that is still to come by a clock."""

    computed: tuple[StoredContribution, ...]
    """Contributions that were computed then."""
    published: tuple[Publication, ...]
    """Publications in force that were published, or signed, then."""
    lived: date | None
    """The last day, not begun anywhere yet, that people were active on; None for no such day."""

    @property
    def newest(self) -> datetime | None:
        """The newest of the moments; None without any."""
        moments = [version.computed_at for version in self.computed] + [entry.known_at for entry in self.published]
        return max(moments, default=None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing contradicts the clock."""
        return not self.computed and not self.published and self.lived is None


def coming(store: Store, now: datetime) -> ComingMoments:
    """What the store holds that contradicts a clock which shows `now`."""
    in_force = publications.in_force(store).values()
    with store.reading() as connection:
        return ComingMoments(
            tuple(_computed_after(connection, now + LONGEST_RUN)),
            tuple(publication for publication in in_force if publication.known_at > now + LONGEST_RUN),
            _lived_after(connection, local_day(now + _EAST + LONGEST_RUN, "UTC")),
        )


def computed_ahead(store: Store, first: date, last: date, now: datetime) -> int:
    """How many current contributions of the days from `first` to `last` (both included) are of a moment that is still to come."""
    contribution = schema.contributions.c
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(contribution.activity_date.between(first, last))
    late = sa.select(sa.func.count()).where(contribution.id.in_(latest), contribution.computed_at > now + LONGEST_RUN)
    with store.reading() as connection:
        return connection.scalar(late) or 0


def last_written(store: Store) -> datetime | None:
    """When the last of the contributions and publications was stored; None in an empty store."""
    moments = list[datetime]()
    with store.reading() as connection:
        for table in (schema.contributions, schema.publications):
            last = sa.select(table.c.known_at).where(table.c.id == last_id(connection, table))
            moments += connection.scalars(last)
    return max(moments, default=None)


def set_back(store: Store, now: datetime) -> int:
    """Store each contribution of a moment that is still to come once more, as computed before its period settled; gives how many.

    So figures say that it may lack late events, for as long as nobody has computed it again, and whatever is computed replaces
    it. The users are the same, and the version before stays.
    """
    with store.reading() as connection:
        if not _computed_after(connection, now + LONGEST_RUN):
            return 0
    with store.writing() as connection:
        doubted = _computed_after(connection, now + LONGEST_RUN)
        before = last_id(connection, schema.contributions)
        for number, version in enumerate(doubted, before + 1):
            copy_of(connection, version.id, number, believed(version, now).computed_at, now)
    return len(doubted)


def _computed_after(connection: sa.Connection, moment: datetime) -> list[StoredContribution]:
    """The current contributions that were last computed after a moment."""
    contribution = schema.contributions.c
    again = schema.confirmations.c
    repeated = sa.select(again.contribution_id).where(again.computed_at > moment)
    late = sa.or_(contribution.computed_at > moment, contribution.id.in_(repeated))
    refs = [
        ProductRef(*row)
        for row in connection.execute(sa.select(contribution.affiliate, contribution.product).where(late).distinct())
    ]
    # By product: a condition on the moments themselves would take a version that isn't current any more for the current one.
    current = (version for ref in refs for version in versions.of_product(connection, ref))
    return [version for version in current if version.computed_at > moment]


def _lived_after(connection: sa.Connection, day: date) -> date | None:
    """The last period after a day that current contributions have users of, by its last day; None for none."""
    contribution = schema.contributions.c
    part = schema.parts.c
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(contribution.activity_date > day)
    wanted = (
        sa.select(contribution.grain, contribution.activity_date)
        .join_from(schema.contributions, schema.parts, part.contribution_id == contribution.id)
        .where(contribution.id.in_(latest), part.estimate > 0)
        .distinct()
    )
    return max((last_day(grain, first) for grain, first in connection.execute(wanted)), default=None)
