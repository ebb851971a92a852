"""What must hold between the manifests of a group: names, owners, periods, products, conditions.

Each check gives the mistakes that it finds. `broken` says that another mistake may hide names: then an unknown name is no mistake
of its own, since its file may be the one that couldn't be read.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from affiliates.errors import Code, Refusal, RefusedError, did_you_mean
from affiliates.manifests import conditions
from affiliates.manifests.alert_settings import Alerting
from affiliates.manifests.base import overlaps
from affiliates.manifests.dashboard_settings import Dashboard
from affiliates.manifests.group import Entity
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import Readings
from affiliates.manifests.settings import Settings
from affiliates.manifests.yaml_lines import Document, Location
from affiliates.periods import DAY, month_end

_MOST_HINTS = 20
"""Unknown names of a file for which alike ones are looked for: comparing each with all entities is slow."""


def _again(names: Sequence[Hashable]) -> Iterator[int]:
    """The places of names that stood in the list before."""
    seen = set[Hashable]()
    for place, name in enumerate(names):
        if name in seen:
            yield place
        seen.add(name)


def check_readings(readings: Readings, doc: Document) -> Iterator[Refusal]:
    """Readings with the same name, readings of record that there aren't, and two of them on one day."""
    names = [reading.name for reading in readings.readings]
    for i in _again(names):
        yield Refusal(
            Code.MANIFEST_NAME_TWICE, doc.at(("readings", i)), "two readings have one name", names[i], "rename one of them"
        )
    overlapping = {i for i, _ in overlaps(readings.of_record)}
    for i, adopted in enumerate(readings.of_record):
        if adopted.reading not in names:
            yield Refusal(
                Code.MANIFEST_NAME_UNKNOWN,
                doc.at(("of_record", i, "reading")),
                "no such reading",
                f"{adopted.reading}; there are {', '.join(names)}",
                "name one of them",
            )
        if i in overlapping:
            yield Refusal(
                Code.MANIFEST_INCONSISTENT,
                doc.at(("of_record", i)),
                "two readings of record overlap",
                f"from {adopted.from_}",
                "end the earlier one with `to`",
            )


def check_alerting(alerting: Alerting, doc: Document, entities: Mapping[str, Entity], broken: bool) -> Iterator[Refusal]:
    """Channels with the same name, and owners of an affiliate or a product that no manifest has."""
    names = [channel.name for channel in alerting.channels]
    for i in _again(names):
        yield Refusal(
            Code.MANIFEST_NAME_TWICE,
            doc.at(("channels", i, "name")),
            "two channels have one name",
            names[i],
            "rename one of them",
        )
    if broken:
        return
    known = {str(ProductRef(entity.entity, product.product)) for entity in entities.values() for product in entity.products}
    known |= set(entities)
    hints = 0
    for name in alerting.owners:
        if name not in known:
            hints += 1
            yield Refusal(
                Code.MANIFEST_NAME_UNKNOWN,
                doc.at(("owners", name)),
                "no such affiliate or product",
                did_you_mean(name, known) if hints <= _MOST_HINTS else name,
                "correct the name",
            )


def check_legend(settings: Settings, alerting: Alerting, doc: Document) -> Iterator[Refusal]:
    """Two legends that differ: a page would bear another text of counsel's than a message."""
    if settings.legend and alerting.legend and settings.legend != alerting.legend:
        yield Refusal(
            Code.MANIFEST_INCONSISTENT,
            doc.at(("legend",)),
            "is another text than `legend` in group.yaml",
            "",
            "keep the one in group.yaml",
        )


def check_dashboard(dashboard: Dashboard, doc: Document, entities: Mapping[str, Entity], broken: bool) -> Iterator[Refusal]:
    """Affiliates of viewers that no manifest has: their people would silently see nothing."""
    if broken:
        return
    for part, given in (("groups", dashboard.groups), ("viewers", dashboard.viewers)):
        for name, rights in given.items():
            for place, affiliate in enumerate(rights.affiliates):
                if affiliate not in entities:
                    yield Refusal(
                        Code.MANIFEST_NAME_UNKNOWN,
                        doc.at((part, name, "affiliates", place)),
                        "no such affiliate",
                        did_you_mean(affiliate, entities),
                        "correct the name",
                    )


def check_edge(
    settings: Settings, doc: Document, entities: Mapping[str, tuple[Entity, Document]], broken: bool
) -> Iterator[Refusal]:
    """What must hold on an affiliate's machine, which has the affiliate's own manifest and not its owners'."""
    if not entities and not broken:
        yield Refusal(
            Code.MANIFEST_INCONSISTENT,
            "affiliates/",
            "holds no entity",
            "",
            "add your own file: affiliates/NAME.yaml with `entity: NAME`",
        )
    for name, (entity, manifest) in entities.items():
        yield from _check_products(name, entity, manifest)


def check_group(
    settings: Settings, doc: Document, entities: Mapping[str, tuple[Entity, Document]], broken: bool
) -> Iterator[Refusal]:
    """What must hold at the centre: an ultimate parent, owners that there are, shares up to 100 %, and products in order."""
    if not entities:
        if not broken:
            yield Refusal(
                Code.MANIFEST_INCONSISTENT, "affiliates/", "holds no entity", "", "add affiliates/NAME.yaml with `entity: NAME`"
            )
        return
    if settings.ultimate_parent not in entities and not broken:
        yield Refusal(
            Code.MANIFEST_NAME_UNKNOWN,
            doc.at(("ultimate_parent",)),
            "the ultimate parent is no entity of this group",
            f"{settings.ultimate_parent}; there are {', '.join(entities)}",
            "add its file to affiliates/ or correct the name",
        )
    for name, (entity, manifest) in entities.items():
        yield from _check_ownership(settings, entity, manifest, entities, broken)
        yield from _check_products(name, entity, manifest)


def _check_ownership(
    settings: Settings,
    entity: Entity,
    doc: Document,
    entities: Mapping[str, tuple[Entity, Document]],
    broken: bool,
) -> Iterator[Refusal]:
    """Products of an entity that nobody owns, and mistakes in who owns or controls an entity."""
    is_parent = entity.entity == settings.ultimate_parent
    # Its users would never count, whatever the shares elsewhere.
    if not is_parent and entity.products and not entity.owned_by and not entity.controlled_by:
        yield Refusal(
            Code.MANIFEST_INCONSISTENT,
            doc.at(("products",)),
            "products of nobody",
            f"{entity.entity} has {len(entity.products)} products and no owner",
            "add `owned_by` or `controlled_by`, or move the products to the entity that offers them",
        )
    yield from _check_owners(entity, doc, entities, broken)
    yield from _check_holdings(entity, doc)


def _check_owners(
    entity: Entity, doc: Document, entities: Mapping[str, tuple[Entity, Document]], broken: bool
) -> Iterator[Refusal]:
    """Owners and controllers that there aren't, or that are the entity itself."""
    owners: list[tuple[Location, str]] = []
    owners += [(("owned_by", i, "owner"), holding.owner) for i, holding in enumerate(entity.owned_by)]
    owners += [(("controlled_by", i, "by"), control.by) for i, control in enumerate(entity.controlled_by) if control.by]
    hints = 0
    for location, owner in owners:
        if owner not in entities and not broken:
            hints += 1
            yield Refusal(
                Code.MANIFEST_NAME_UNKNOWN,
                doc.at(location),
                "no such entity",
                did_you_mean(owner, entities) if hints <= _MOST_HINTS else owner,
                "correct the name, or leave the line out: only owners inside the group count",
            )
        elif owner == entity.entity:
            yield Refusal(
                Code.MANIFEST_INCONSISTENT, doc.at(location), "an entity can't hold itself", owner, "name another owner"
            )


def _check_holdings(entity: Entity, doc: Document) -> Iterator[Refusal]:
    """Two shares of one owner on one day, and shares that sum to over 100 %."""
    of_owner: dict[str, list[int]] = {}
    for i, holding in enumerate(entity.owned_by):
        of_owner.setdefault(holding.owner, []).append(i)
    for owner, places in of_owner.items():
        for later, earlier in overlaps([entity.owned_by[place] for place in places]):
            yield Refusal(
                Code.MANIFEST_INCONSISTENT,
                doc.at(("owned_by", places[later])),
                "two periods of one owner overlap",
                f"{owner}, here and in line {doc.at(('owned_by', places[earlier])).rpartition(':')[2]}",
                "end the earlier one with `to`: the first day of the later one",
            )
    if over := _over_all(entity):
        yield Refusal(
            Code.MANIFEST_INCONSISTENT,
            doc.at(("owned_by",)),
            "shares sum to over 100 %",
            over,
            "correct the shares or their periods",
        )


def _over_all(entity: Entity) -> str | None:
    """The first day on which an entity's shares sum to over 100 %, with the sum; nothing where there is none."""
    changes: dict[date, Decimal] = defaultdict(Decimal)
    for holding in entity.owned_by:
        changes[holding.from_ or date.min] += holding.share
        if holding.to:
            changes[holding.to] -= holding.share
    total = Decimal(0)
    begins = [holding.from_ for holding in entity.owned_by if holding.from_]
    for day in sorted(changes):
        total += changes[day]
        if total > 1:
            # Shares without a first day are open to the past: the day before the first that is named is one of theirs.
            shown = day if day > date.min else min(begins) - DAY if begins else None
            return f"{float(total * 100):g} %" + (f" on {shown}" if shown else "")
    return None


def _check_products(entity_name: str, entity: Entity, doc: Document) -> Iterator[Refusal]:
    """Products with the same name, and mistakes in the counts, ceilings and conditions of each product."""
    again = set(_again([product.product for product in entity.products]))
    for i, product in enumerate(entity.products):
        subject = str(ProductRef(entity_name, product.product))
        if i in again:
            yield Refusal(
                Code.MANIFEST_NAME_TWICE, doc.at(("products", i)), "two products have one name", subject, "rename one of them"
            )
        yield from _check_counts(product, subject, doc, i)
        yield from _check_conditions(product, doc, i)


def _check_counts(product: Product, subject: str, doc: Document, number: int) -> Iterator[Refusal]:
    """Two counts for one month, counts outside the product's life, and two ceilings on one day. `number`: the product's place."""
    months = [count.month for count in product.counts]
    again = set(_again(months))
    for i, month in enumerate(months):
        if i in again:
            yield Refusal(
                Code.MANIFEST_INCONSISTENT,
                doc.at(("products", number, "counts", i)),
                "two counts for one month",
                f"{subject}, {month:%Y-%m}",
                "keep one",
            )
        if not product.due_between(month, month_end(month)):
            yield Refusal(
                Code.MANIFEST_INCONSISTENT,
                doc.at(("products", number, "counts", i)),
                "a count outside the product's life",
                f"{subject}, {month:%Y-%m}; its life is {product.from_} to {product.to}",
                "correct `from`, `to` or the month",
            )
    for i, _ in overlaps(product.ceilings):
        yield Refusal(
            Code.MANIFEST_INCONSISTENT,
            doc.at(("products", number, "ceilings", i)),
            "two ceilings overlap",
            subject,
            "end the earlier one with `to`",
        )


def _check_conditions(product: Product, doc: Document, number: int) -> Iterator[Refusal]:
    """Conditions of a product's sources that aren't row-wise. `number`: the product's place."""
    for i, source in enumerate(product.sources):
        for name in ("counts_when", "internal_when", "automated_when"):
            if (condition := getattr(source, name)) is None:
                continue
            # By name and line here; with a source's columns a condition is checked again when the source is read.
            try:
                conditions.check(condition, doc.at(("products", number, "sources", i, name)))
            except RefusedError as error:
                yield from error.refusals
