"""What a scenario needs of the group: audiences, licences, and the products that may count by its changes. Pure."""

from datetime import date
from itertools import chain, combinations

from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end, month_of
from pipelines.scenarios.changes import Acquire, Exclude, OtherReading
from pipelines.scenarios.clauses import month_of_horizon
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.membership import MEMBERSHIP, composition
from pipelines.scenarios.sizes import Audiences


def readings_of(group: Group, reading: Reading, definition: Definition) -> list[Reading]:
    """A reading for each list of audiences that can count: of the base, of other readings, and without those left out."""
    names = {c.reading for c in definition.changes if isinstance(c, OtherReading)}
    readings = [reading, *(known for known in group.readings.readings if known.name in names)]
    left_out = dict.fromkeys(c.exclude.audience for c in definition.changes if isinstance(c, Exclude) and c.exclude.audience)
    combined: dict[Audiences, Reading] = {}
    for one in readings:
        # Each set of those left out, since they may come on different days.
        for without in chain.from_iterable(combinations(left_out, number) for number in range(len(left_out) + 1)):
            audiences = tuple(name for name in one.audiences if name not in without)
            combined.setdefault(audiences, one.model_copy(update={"audiences": audiences}))
    return list(combined.values())


def licences_of(definition: Definition) -> frozenset[str]:
    """The licences of the models that targets use."""
    targets = [change for change in definition.changes if isinstance(change, Acquire)]
    return frozenset(chain.from_iterable((model.licence for model in target.models) for target in targets))


def products_of(group: Group, reading: Reading, definition: Definition, base: date) -> frozenset[ProductRef]:
    """The products that count in any month of a scenario, before its changes or after all of them."""
    last = month_end(month_of_horizon(base, definition.horizon))
    changes = [change for change in definition.changes if isinstance(change, MEMBERSHIP)]
    days = [month_end(base), *sorted(_turns(group, base, last)), last]
    counted = [
        composition(group, reading, some, month_of(day), day).products | composition(group, reading, some, base, day).products
        for day in dict.fromkeys(days)
        for some in ((), changes)
    ]
    return frozenset().union(*counted)


def _turns(group: Group, first: date, last: date) -> set[date]:
    """The days in a range on which, by the manifests, a share, a control or a product begins or ends."""
    dated = chain.from_iterable((*e.owned_by, *e.controlled_by, *e.products) for e in group.entities.values())
    return {day for one in dated for day in (one.from_, one.to) if day is not None and first < day <= last}
