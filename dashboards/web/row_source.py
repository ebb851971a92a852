"""Opens the store for a request, and says why where it can't be opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from affiliates.errors import RefusedError
from dashboards.web.group_directory import GroupDirectory
from dashboards.web.queries import PageRows
from dashboards.web.viewer import Viewer
from pipelines.alerts import delivery, responses
from pipelines.alerts.responses import Closing
from pipelines.store import contributions, engine


@dataclass(frozen=True)
class Trouble:
    """Why a page has no rows."""

    headline: str
    detail: str
    next_step: str


class RowSource:
    """Opens the rows for a request; each request has its own snapshot."""

    def __init__(self, directory: Path) -> None:
        self.manifests = GroupDirectory(directory)

    @contextmanager
    def rows(self, viewer: Viewer, now: datetime) -> Iterator[PageRows]:
        """The rows of this moment. Raises `RefusedError` where manifests or store can't be read."""
        manifests = self.manifests.read()
        url = manifests.group.settings.store
        directory = self.manifests.directory
        if not engine.exists(url, directory):
            yield PageRows(None, manifests, directory, viewer, now)
            return
        with contributions.open_store(url, directory) as store, store.snapshot() as fixed:
            yield PageRows(fixed, manifests, directory, viewer, now)


def trouble_of(error: RefusedError) -> Trouble:
    """A refusal as a page shows it: whose rule, which values, and what to do next."""
    # The first one in the order in which a person would mend them.
    refusal = error.refusals[0]
    more = "" if len(error.refusals) == 1 else f" (and {len(error.refusals) - 1} more)"
    return Trouble(f"{refusal.subject} {refusal.rule}", f"{refusal.values}{more}", refusal.next_step)


def answer_alert(source: RowSource, number: int, by: str, closing: Closing | None, now: datetime) -> str:
    """Acknowledge an alert, or close it; gives what has happened, in a sentence. Raises `RefusedError`."""
    manifests = source.manifests.read()
    directory = source.manifests.directory
    with contributions.open_store(manifests.group.settings.store, directory) as store:
        if closing is None:
            responses.acknowledge(store, manifests.group, number, by, now)
            return f"Alert {number} is acknowledged by {by}."
        responses.close(store, manifests.group, manifests.registry, number, closing, now)
        # At once, as the command does: whoever was told of the alert hears of its end, too.
        delivery.deliver(store, directory, manifests.group, lambda: now)
    return f"Alert {number} is closed by {by}: {closing.reason}, matter {closing.matter}."
