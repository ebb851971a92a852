"""Who has products or contributions and isn't counted, and why; which contributions rest on other settings. Pure.

The texts are part of a publication (`not_counted`), and of the ledger's digest of the publication: they stay as they are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef, definition_digest
from pipelines.records import StoredContribution

RUN_COMPUTES = "computed under earlier settings; compute them with mauwatch run"
"""How the reason ends that contributions rest on other settings than the manifest's."""


def reasons(
    group: Group,
    members: Sequence[str],
    day: date,
    near: Iterable[ProductRef],
    due: Sequence[tuple[ProductRef, Product]],
    versions: Sequence[StoredContribution],
    is_month: bool = True,
) -> Iterator[str]:
    """What is left out of a window's figures, one text each, for the members on a day.

    `near`: the products that have contributions near the window; `due`: those that are due; `versions`: the contributions that
    are counted; `is_month`: whether the window is a calendar month.
    """
    yield from _outside(group, members, day)
    yield from _unnamed(group, near)
    yield from stale(group, due, versions)
    yield from _other_definitions(due, versions)
    yield from _two_definitions(versions, "month" if is_month else "window")


def _outside(group: Group, members: Sequence[str], day: date) -> Iterator[str]:
    """Entities with products that aren't under common control on the day."""
    for name, entity in group.entities.items():
        if name not in members and entity.products:
            yield f"{name}: {group.why_outside(name, members, day)}"


def _unnamed(group: Group, near: Iterable[ProductRef]) -> Iterator[str]:
    """Products with contributions that no manifest names: a misspelt name would else be a smaller figure, unseen."""
    for ref in near:
        if group.product(ref) is None:
            yield f"{ref}: has contributions, and no manifest names it"


def stale(group: Group, due: Sequence[tuple[ProductRef, Product]], versions: Sequence[StoredContribution]) -> Iterator[str]:
    """Products that are counted here, whose contributions rest on other settings than the manifest's."""
    current = {ref: definition_digest(p, group.settings) for ref, p in due if not p.handed_in}
    # A run leaves erased periods alone, so computing them again isn't asked for. A contribution may name no digest.
    stale = Counter(
        v.ref
        for v in versions
        if v.erased_at is None and v.definition_digest and v.definition_digest != current.get(v.ref, v.definition_digest)
    )
    for ref, number in stale.items():
        yield f"{ref}: {number} periods were {RUN_COMPUTES}"


def _other_definitions(due: Sequence[tuple[ProductRef, Product]], versions: Sequence[StoredContribution]) -> Iterator[str]:
    """Products that are handed in, whose contributions name another definition of active than the manifest.

    Only a label can be compared there, since the settings of the sender aren't known. For products that are counted here
    `stale` compares the digest of all settings.
    """
    labels = {ref: p.active.label for ref, p in due if p.handed_in}
    other = Counter((v.ref, v.definition, labels[v.ref]) for v in versions if v.definition != labels.get(v.ref, v.definition))
    for (ref, theirs, ours), number in other.items():
        yield f"{ref}: {number} periods are by the definition {theirs}, and the manifest's is {ours}: are they the same users?"


def _two_definitions(versions: Sequence[StoredContribution], within: str) -> Iterator[str]:
    """Products whose contributions within the window name more than one definition of active."""
    by_product: dict[ProductRef, Counter[str]] = defaultdict(Counter)
    for version in versions:
        by_product[version.ref][version.definition] += 1
    for ref, periods in by_product.items():
        if len(periods) > 1:
            listed = ", ".join(f"{n} periods by {definition}" for definition, n in sorted(periods.items()))
            yield f"{ref}: who is active was defined in two ways within the {within}: {listed}"
