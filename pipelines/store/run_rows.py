"""The table `runs`: the moments at which a run has looked."""

from collections.abc import Sequence
from dataclasses import asdict, fields

import sqlalchemy as sa

from pipelines.store import schema
from pipelines.store.engine import Store
from pipelines.store.run_log import LoggedRun
from pipelines.store.shown_schema import runs


def append(store: Store, new: Sequence[LoggedRun]) -> None:
    """Add runs in the order of their moments; one of a moment that is there already isn't added again."""
    by_moment = {run.at: run for run in new}
    with store.writing() as connection:
        for chunk in schema.chunks(sorted(by_moment)):
            for moment in connection.scalars(sa.select(runs.c.at).where(runs.c.at.in_(chunk))):
                by_moment.pop(moment, None)  # Taken from the file before, by a run that was killed then.
        rows = [asdict(run) for _, run in sorted(by_moment.items())]
        if rows:
            connection.execute(runs.insert(), rows)


def latest(store: Store, number: int) -> list[LoggedRun]:
    """The last runs of the table, the newest first."""
    wanted = sa.select(*(runs.c[field.name] for field in fields(LoggedRun))).order_by(runs.c.at.desc()).limit(number)
    with store.reading() as connection:
        return [LoggedRun(*row) for row in connection.execute(wanted)]
