"""What must hold between the manifests of a group: names, owners, periods, products, conditions."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from affiliates.errors import Code, Refusal, RefusedError, did_you_mean
from affiliates.manifests import conditions
from affiliates.manifests.alert_settings import Alerting
from affiliates.manifests.group import Entity
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Readings
from affiliates.manifests.settings import Settings
from affiliates.manifests.yaml_lines import Document
from affiliates.periods import DAY, month_end


def of_readings(readings: Readings, doc: Document) -> Iterator[Refusal]:
    names = [r.name for r in readings.readings]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield Refusal(
                Code.MANIFEST_NAME_TWICE, doc.at(("readings", i)), "two readings have one name", name, "rename one of them"
            )
    for i, adopted in enumerate(readings.of_record):
        if adopted.reading not in names:
            yield Refusal(
                Code.MANIFEST_NAME_UNKNOWN,
                doc.at(("of_record", i, "reading")),
                "no such reading",
                f"{adopted.reading}; there are {', '.join(names)}",
                "name one of them",
            )
        if any(adopted.overlaps(other) for other in readings.of_record[:i]):
            yield Refusal(
                Code.MANIFEST_INCONSISTENT,
                doc.at(("of_record", i)),
                "two readings of record overlap",
                f"from {adopted.from_}",
                "end the earlier one with `to`",
            )


def of_alerting(alerting: Alerting, doc: Document, entities: Mapping[str, Entity], broken: bool) -> Iterator[Refusal]:
    names = [c.name for c in alerting.channels]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield Refusal(
                Code.MANIFEST_NAME_TWICE,
                doc.at(("channels", i, "name")),
                "two channels have one name",
                name,
                "rename one of them",
            )
    if broken:  # A file that doesn't parse hides its products.
        return
    known = {str(ProductRef(e.entity, p.product)) for e in entities.values() for p in e.products} | set(entities)
    for name in alerting.owners:
        if name not in known:
            yield Refusal(
                Code.MANIFEST_NAME_UNKNOWN,
                doc.at(("owners", name)),
                "no such affiliate or product",
                did_you_mean(name, known),
                "correct the name",
            )


def of_edge(
    settings: Settings, doc: Document, entities: Mapping[str, tuple[Entity, Document]], broken: bool
) -> Iterator[Refusal]:
    """What must hold on an affiliate's machine, which has its own manifest and not its owners'."""
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


def of_group(
    settings: Settings, doc: Document, entities: Mapping[str, tuple[Entity, Document]], broken: bool
) -> Iterator[Refusal]:
    if not entities:
        if not broken:
            yield Refusal(
                Code.MANIFEST_INCONSISTENT, "affiliates/", "holds no entity", "", "add affiliates/NAME.yaml with `entity: NAME`"
            )
        return
    # A file that doesn't parse hides its entity: then who is unknown can't be told from who is broken.
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
    parent = entity.entity == settings.ultimate_parent
    if not parent and entity.products and not entity.owned_by and not entity.controlled_by:
        yield Refusal(
            Code.MANIFEST_INCONSISTENT,
            doc.at(("products",)),
            "products of nobody",
            f"{entity.entity} has {len(entity.products)} products and no owner",
            "add `owned_by` or `controlled_by`, or move the products to the entity that offers them",
        )
    named = [(("owned_by", i, "owner"), h.owner) for i, h in enumerate(entity.owned_by)]
    named += [(("controlled_by", i, "by"), c.by) for i, c in enumerate(entity.controlled_by) if c.by]
    for location, owner in named:
        if owner not in entities and not broken:
            yield Refusal(
                Code.MANIFEST_NAME_UNKNOWN,
                doc.at(location),
                "no such entity",
                did_you_mean(owner, entities),
                "correct the name, or leave the line out: only owners inside the group count",
            )
        elif owner == entity.entity:
            yield Refusal(
                Code.MANIFEST_INCONSISTENT, doc.at(location), "an entity can't hold itself", owner, "name another owner"
            )
    for i, holding in enumerate(entity.owned_by):
        for j, other in enumerate(entity.owned_by[:i]):
            if holding.owner == other.owner and holding.overlaps(other):
                yield Refusal(
                    Code.MANIFEST_INCONSISTENT,
                    doc.at(("owned_by", i)),
                    "two periods of one owner overlap",
                    f"{holding.owner}, here and in line {doc.at(('owned_by', j)).rpartition(':')[2]}",
                    "end the earlier one with `to`: the first day of the later one",
                )
    starts = {h.from_ for h in entity.owned_by if h.from_}
    for day in sorted(starts | {min(starts) - DAY}) if starts else ():
        total = sum((h.share for h in entity.owned_by if h.holds_on(day)), Decimal(0))
        if total > 1:
            yield Refusal(
                Code.MANIFEST_INCONSISTENT,
                doc.at(("owned_by",)),
                "shares sum to over 100 %",
                f"{float(total * 100):g} % on {day}",
                "correct the shares or their periods",
            )
            break


def _check_products(entity_name: str, entity: Entity, doc: Document) -> Iterator[Refusal]:
    names = [p.product for p in entity.products]
    for i, product in enumerate(entity.products):
        subject = str(ProductRef(entity_name, product.product))
        if product.product in names[:i]:
            yield Refusal(
                Code.MANIFEST_NAME_TWICE, doc.at(("products", i)), "two products have one name", subject, "rename one of them"
            )
        months = [c.month for c in product.counts]
        for k, month in enumerate(months):
            if month in months[:k]:
                yield Refusal(
                    Code.MANIFEST_INCONSISTENT,
                    doc.at(("products", i, "counts", k)),
                    "two counts for one month",
                    f"{subject}, {month:%Y-%m}",
                    "keep one",
                )
            if not product.due_between(month, month_end(month)):
                yield Refusal(
                    Code.MANIFEST_INCONSISTENT,
                    doc.at(("products", i, "counts", k)),
                    "a count outside the product's life",
                    f"{subject}, {month:%Y-%m}; its life is {product.from_} to {product.to}",
                    "correct `from`, `to` or the month",
                )
        for k, ceiling in enumerate(product.ceilings):
            if any(ceiling.overlaps(other) for other in product.ceilings[:k]):
                yield Refusal(
                    Code.MANIFEST_INCONSISTENT,
                    doc.at(("products", i, "ceilings", k)),
                    "two ceilings overlap",
                    subject,
                    "end the earlier one with `to`",
                )
        for k, source in enumerate(product.sources):
            for name in ("counts_when", "internal_when", "automated_when"):
                if (condition := getattr(source, name)) is None:
                    continue
                place = doc.at(("products", i, "sources", k, name))
                try:
                    conditions.check(condition, place)
                except RefusedError as error:
                    yield from error.refusals
