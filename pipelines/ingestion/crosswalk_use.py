"""Whether a month's crosswalk joins anybody of the month: else it is of another month, or of another key."""

from collections.abc import Iterable, Iterator
from datetime import date

from affiliates.errors import RefusedError
from affiliates.identity.keys import PERSON
from pipelines.counting.measure import Measured
from pipelines.runbook import Finding, Page
from pipelines.workspace import Workspace

MANY = 100
"""Keys of a snapshot, and people of a month, from which on it is no chance that none of them are the same."""


def joining_nobody(workspace: Workspace, measured: Iterable[Measured]) -> Iterator[Finding]:
    """The months whose snapshot knows none of the month's identifiers. `measured`: the figures that a run has published."""
    store = workspace.store_if_any()
    looked_at = set[date]()
    for figures in measured:
        inputs = figures.inputs
        ids = [version.id for version in inputs.versions if version.crosswalk_digest]
        if store is None or not ids or inputs.month in looked_at or (figures.group.estimate or 0) < MANY:
            continue
        looked_at.add(inputs.month)
        if PERSON in store.read_namespaces(ids, inputs.reading.audiences):
            continue
        try:
            crosswalk = workspace.edge.crosswalk(inputs.month)
        except RefusedError:  # The products that need it say so.
            continue
        if crosswalk is not None and crosswalk.table.height >= MANY:
            text = f"{inputs.month:%Y-%m}: the crosswalk joins nobody of the month: is it of another month, or of another key?"
            yield Finding(text, Page.IDENTIFIERS)
