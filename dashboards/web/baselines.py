"""What drafts start from, read once in a worker: a slider then draws again without the store."""

from collections import OrderedDict
from datetime import date, datetime
from threading import Lock

from dashboards.web.row_source import RowSource
from pipelines.scenarios import access
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.definition import Definition
from pipelines.store import contributions, publications
from pipelines.workspace import Workspace

_KEPT = 2
"""Baselines that are kept at most: each holds the sketches of a month."""


class Baselines:
    """The baselines of the months and readings that were asked for last."""

    def __init__(self, source: RowSource) -> None:
        self._source = source
        self._kept = OrderedDict[tuple[date, str], tuple[object, Baseline]]()
        self._lock = Lock()

    def of(self, definition: Definition, month: date, reading: str, now: datetime) -> Baseline:
        """What a scenario starts from. Raises `RefusedError` where the store or the base month can't be used."""
        manifests = self._source.manifests.read()
        directory = self._source.manifests.directory
        key = month, reading
        # One at a time: two readers of one month would hold its sketches twice.
        with self._lock, contributions.open_store(manifests.group.settings.store, directory) as store:
            in_force = publications.in_force(store, month).get(key)
            state = in_force.id if in_force else 0, manifests.group
            # Another publication of the month is another start, and so is another text of a manifest.
            known = self._kept.get(key)
            if known is not None and known[0] == state and not known[1].lacks(definition):
                self._kept.move_to_end(key)
                return known[1]
            with Workspace(directory, manifests.group, now) as workspace:
                baseline = access.load(store, workspace, definition, directory)
            self._kept[key] = state, baseline
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return baseline
