"""Who has products or contributions and isn't counted, and why; and what awaits a run. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef, definition_digest
from pipelines.records import StoredContribution


def reasons(
    group: Group,
    members: Sequence[str],
    day: date,
    near: Iterable[ProductRef],
    due: Sequence[tuple[ProductRef, Product]],
    versions: Sequence[StoredContribution],
    is_month: bool = True,
) -> Iterator[str]:
    """Of a month, or another window, for the members on a day: `near` are the products with contributions, `due` those that
    are due."""
    yield from _outside(group, members, day)
    yield from _unnamed(group, near)
    yield from _stale(group, due, versions)
    yield from _of_another_definition(due, versions)
    yield from _of_two_definitions(versions, "month" if is_month else "window")


def _outside(group: Group, members: Sequence[str], day: date) -> Iterator[str]:
    for name, entity in group.entities.items():
        if name not in members and entity.products:
            yield f"{name}: {group.why_outside(name, members, day)}"


def _unnamed(group: Group, near: Iterable[ProductRef]) -> Iterator[str]:
    for ref in near:
        if group.product(ref) is None:
            yield f"{ref}: has contributions, and no manifest names it"


def _stale(group: Group, due: Sequence[tuple[ProductRef, Product]], versions: Sequence[StoredContribution]) -> Iterator[str]:
    now = {ref: definition_digest(p, group.settings) for ref, p in due if not p.handed_in}
    stale = Counter(
        v.ref
        for v in versions
        if v.erased_at is None and v.definition_digest and v.definition_digest != now.get(v.ref, v.definition_digest)
    )
    for ref, number in stale.items():
        yield f"{ref}: {number} periods were computed under earlier settings; compute them with mauwatch run"


def _of_another_definition(due: Sequence[tuple[ProductRef, Product]], versions: Sequence[StoredContribution]) -> Iterator[str]:
    """Of what is handed in; what is counted here was said before to be under earlier settings."""
    now = {ref: p.active.label for ref, p in due if p.handed_in}
    other = Counter((v.ref, v.definition, now[v.ref]) for v in versions if v.definition != now.get(v.ref, v.definition))
    for (ref, theirs, ours), number in other.items():
        yield f"{ref}: {number} periods are by the definition {theirs}, and the manifest's is {ours}: are they the same users?"


def _of_two_definitions(versions: Sequence[StoredContribution], within: str) -> Iterator[str]:
    each: dict[ProductRef, Counter[str]] = defaultdict(Counter)
    for v in versions:
        each[v.ref][v.definition] += 1
    for ref, number in each.items():
        if len(number) > 1:
            said = ", ".join(f"{n} periods by {definition}" for definition, n in sorted(number.items()))
            yield f"{ref}: who is active was defined in two ways within the {within}: {said}"
