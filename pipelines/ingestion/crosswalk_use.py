"""Whether a month's crosswalk joins anybody of the month, and what nobody can tell of those whom it joins.

One that joins nobody is of another month, or of another key. One that makes one person of a few lowers the number; only events
contradict that, where group.yaml says how many identifiers of a kind one person has.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from affiliates.errors import RefusedError
from affiliates.identity.keys import PERSON
from affiliates.manifests.group import Group
from affiliates.manifests.namespaces import UNSAID, ranges_of
from affiliates.manifests.packet import namespaces_of
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


def not_compared(group: Group) -> list[str]:
    """Whose joining can't be compared with anything: a sentence on the namespaces for which no limit is said, or nothing."""
    said = ranges_of(group.settings.namespaces)
    unlimited = [name for name in namespaces_of(group) if said.get(name, UNSAID).most is None]
    if group.settings.crosswalk is None or not unlimited:
        return []
    return [
        f"whether the crosswalk makes one person of several can't be seen in identifiers of {', '.join(unlimited)}: group.yaml "
        "doesn't say how many of them one person has at most (`identifiers_per_person`)"
    ]
