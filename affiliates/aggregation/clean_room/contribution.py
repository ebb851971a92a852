"""What one side of a deal hands over: one contribution of the month for each affiliate, of all of its products together.

Own events are hashed under the deal's key. Of a namespace that the sides didn't agree on, nothing can be compared, so its sketch
leaves with its places shuffled: it says how many identifiers there were, and nothing else.
"""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from importlib.metadata import version

import numpy as np

from affiliates.aggregation import availability
from affiliates.aggregation.clean_room.deal import Terms
from affiliates.aggregation.contribute import EdgeContext, contribute
from affiliates.contributions.contract import Contribution, Part
from affiliates.crosswalks.snapshot import NO_CROSSWALK
from affiliates.errors import Code, RefusedError, refused
from affiliates.identity import canaries
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import GroupKey
from affiliates.identity.normalisation import NORMALISATION
from affiliates.manifests.namespaces import Namespace
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.settings import Settings
from affiliates.periods import end_of, month_end
from affiliates.sketches.image import ADDRESS_BITS
from affiliates.sketches.registers import Registers
from affiliates.sources.protocol import EventSource

UNITED = "all"
"""The product that a deal's contributions name: which product somebody uses isn't told to the other side."""
Products = Sequence[tuple[ProductRef, Product]]


def check_key(context: EdgeContext, key: GroupKey) -> None:
    """Raise `RefusedError` where the deal's key is one of the group's, as far as these are here."""
    of_group = {source.fingerprint for source in context.settings.epochs}
    for source in context.settings.epochs:
        # Without the group's key nothing is wrong: a deal needs none.
        with suppress(RefusedError):
            of_group.add(context.keys.key(source.from_ or date.min).fingerprint)
    if key.fingerprint in of_group:
        raise refused(
            Code.KEY_INVALID,
            "the deal's key",
            "is the group's own",
            "whoever gets it could test who is in the group's sketches",
            "make a new key for the deal: mauwatch deal new",
        )


def settings_of(settings: Settings, terms: Terms) -> Settings:
    """A group's settings as they hold for a deal: its precision and forms, and no crosswalk, which is of the group's key.

    What names nobody stays the group's own.
    """
    of_terms = {
        name: Namespace(form=form, names_nobody=settings.namespaces.get(name, Namespace()).names_nobody)
        for name, form in terms.namespaces.items()
    }
    return settings.model_copy(
        update={
            "lg_k": terms.lg_k,
            "crosswalk": None,
            "forms": "recognised",
            "namespaces": {**settings.namespaces, **of_terms},
        }
    )


def check_products(products: Products, month: date) -> Products:
    """The products that live in the month, counted by month and of external users alone.

    Raises `RefusedError` where there is none.
    """
    living = [(ref, product) for ref, product in products if product.due_between(month, month_end(month))]
    if not living:
        raise refused(
            Code.RANGE_EMPTY,
            f"{month:%Y-%m}",
            "holds no day of any product's life",
            f"{len(products)} products with a source",
            "name products of the deal's month",
        )
    return [(ref, product.model_copy(update={"grain": "month", "audiences": ("external",)})) for ref, product in living]


def contributions(
    products: Products,
    others: Mapping[str, int],
    find: Callable[[ProductRef, Product], Sequence[EventSource]],
    context: EdgeContext,
    terms: Terms,
    key: GroupKey,
) -> Iterator[Contribution]:
    """The month's contribution of each affiliate, under the deal's key. `products`: as `check_products` gives them.

    `others`: by affiliate, how many products of the month aren't among them; the contribution says so. `find`: a product's
    sources. Raises `RefusedError` for a month that isn't over, or of which a product's events aren't all there.
    """
    check_key(context, key)
    settings = settings_of(context.settings, terms)
    here = replace(context, settings=settings, keys=Keyring.from_key(settings, key), crosswalk=lambda month: None)
    by_affiliate: dict[str, list[Contribution]] = defaultdict(list)
    for ref, product in products:
        sources = find(ref, product)
        zone = product.day_zone or settings.time_zone
        if end_of("month", terms.month, zone) > here.now:
            raise refused(
                Code.RANGE_EMPTY,
                f"{ref}, {terms.month:%Y-%m}",
                "the month isn't over",
                f"in {zone}",
                "wait for its end, or agree on an earlier month",
            )
        due = product.days_due(terms.month, month_end(terms.month), zone)
        periods = availability.periods_present(sources, product, due, zone, here.now)
        # A part of the month would pass for all of it: the other side would see fewer people than there are.
        if not periods:
            there = [day for day in due if all(source.has(day) for source in sources)]
            raise refused(
                Code.RANGE_EMPTY,
                f"{ref}, {terms.month:%Y-%m}",
                "the month isn't whole in the sources",
                f"{len(there)} of {len(due)} days are there",
                "bring the other days, or name the other products",
            )
        for batch in contribute(ref, product, sources, periods, here):
            by_affiliate[ref.affiliate] += batch
    for affiliate, of_affiliate in by_affiliate.items():
        yield _united(affiliate, of_affiliate, others.get(affiliate, 0), terms, key)


def _united(affiliate: str, of_products: Sequence[Contribution], n_others: int, terms: Terms, key: GroupKey) -> Contribution:
    """One contribution of all of an affiliate's products: the other side learns how many there are, and which nobody's."""
    definitions = {contribution.definition for contribution in of_products}
    by_namespace: dict[str, list[Part]] = defaultdict(list)
    for contribution in of_products:
        for part in contribution.parts:
            by_namespace[part.namespace].append(part)
    first = of_products[0]
    return replace(
        first,
        affiliate=affiliate,
        product=UNITED,
        key_epoch=terms.epoch,
        crosswalk_digest=NO_CROSSWALK,
        normalisation=NORMALISATION,
        unidentified_events=sum(contribution.unidentified_events or 0 for contribution in of_products),
        undecided_events=None,
        excluded_events=None,
        definition=definitions.pop() if len(definitions) == 1 else "several/1",
        definition_digest=None,
        producer=f"mauwatch {version('mauwatch')} ({len(of_products)} of {len(of_products) + n_others} products)",
        parts=tuple(_part(namespace, parts, terms, key) for namespace, parts in sorted(by_namespace.items())),
    )


def _part(namespace: str, parts: Sequence[Part], terms: Terms, key: GroupKey) -> Part:
    """The row of one namespace."""
    people = Registers.union([part.registers for part in parts], terms.lg_k)
    events = sum(part.events or 0 for part in parts)
    if namespace in terms.namespaces:
        canary = canaries.image(namespace, key, terms.lg_k, rules=terms.rules(namespace))
    else:
        people = shuffled(people)
        canary = Registers.from_coupons(terms.lg_k, np.empty(0, np.uint32)).to_image()
    return Part("external", namespace, people, events, None, canary)


def shuffled(registers: Registers) -> Registers:
    """A sketch of as many people at random places: its size is the same to the last digit, and no identifier fits it."""
    generator = np.random.default_rng(secrets.randbits(256))
    if registers.values is not None:
        return Registers(registers.lg_k, None, generator.permutation(registers.values))
    assert registers.coupons is not None
    # Whole registers move, for two coupons of one register count as one: drawn freely, 20 people were 19 in 1 % of draws.
    in_register = np.uint32((1 << registers.lg_k) - 1)
    places = generator.permutation(1 << registers.lg_k).astype(np.uint32)[registers.coupons & in_register]
    values = registers.coupons >> ADDRESS_BITS << ADDRESS_BITS
    rest = np.zeros_like(places)
    moved = registers.coupons
    equal = np.ones(len(places), np.bool_)
    while equal.any():
        rest[equal] = generator.integers(0, 1 << int(ADDRESS_BITS) - registers.lg_k, np.count_nonzero(equal), np.uint32)
        moved = values | rest << np.uint32(registers.lg_k) | places
        first_of = np.unique(moved, return_index=True)[1]
        equal = np.ones(len(places), np.bool_)
        equal[first_of] = False
    return Registers.from_coupons(registers.lg_k, moved)
