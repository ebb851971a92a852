"""The documents of a bundle, made from settings and inputs alone: whoever writes one and whoever checks one make the same. Pure.

What a month is signed on is kept with its signature as documents of the same form (the `basis`), so the ledger binds them.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from affiliates.manifests.group import Entity, Group
from affiliates.manifests.product import Product
from affiliates.manifests.readings import OfRecord, Reading
from pipelines import hash_chain
from pipelines.counting.inputs import Inputs
from pipelines.hash_chain import LedgerEntry
from pipelines.records import StatedCount, StoredContribution

Json = Mapping[str, Any]
"""An object of JSON."""
Page = Callable[[Mapping[str, Any], datetime], bytes]
"""Makes the page that a lawyer reads, as a PDF, from a bundle's JSON by name (and `about`), and the time."""
PAGE = "evidence.pdf"
"""The file of the page, in each bundle; beside the bundles, the page of the outside and the expert one."""
BASIS = "basis"
"""The key of what a signed month rests on, in the record that is kept with its signature."""
GRADES = ("daily contributions", "monthly contributions", "a count", "a ceiling", "nothing")
"""Kinds of evidence for a product, the strongest first."""
_OPEN = ("settled_by", "settling")
_COVERED = ("result", "found", "why")


@dataclass(frozen=True)
class FigureBasis:
    """What a month's figures under one reading rest on, with the group of one day."""

    reading: Reading
    on: date
    """The day whose affiliates are the group: the month's last, or the release date."""
    inputs: Inputs


def plain(content: Any) -> Any:
    """The content as its JSON is read again: moments in UTC, decimals as text."""
    return json.loads(hash_chain.canonical(_texts(content)))


def _texts(value: Any) -> Any:
    """The value with what `canonical` doesn't take, such as decimals, as text."""
    if isinstance(value, Mapping):
        return {str(name): _texts(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool | date | datetime) else str(value)


def differing(wanted: Any, there: Any, at: str = "") -> Iterator[str]:
    """The places at which two JSON values differ, such as `readings.unique_people.upper`; types count, too."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        for name in [*wanted, *(name for name in there if name not in wanted)]:
            place = f"{at}.{name}" if at else name
            if (name in wanted) != (name in there):
                yield place
            else:
                yield from differing(wanted[name], there[name], place)
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for number, (one, other) in enumerate(zip(wanted, there, strict=True)):
            yield from differing(one, other, f"{at}[{number}]")
    # 1, 1.0 and true are equal to Python, and three texts in a file.
    elif type(wanted) is not type(there) or wanted != there:
        yield at or "all of it"


def group_document(group: Group, days: Sequence[date]) -> dict[str, Any]:
    """group.json without who belongs to the group: settings, and the ownership and products of whoever has a tie on these days.

    `days`: in order. An end after the last of them is left out: a deal may not be public yet.
    """
    ties = {name: _ties(entity, days) for name, entity in group.entities.items()}
    settings = group.settings
    return {
        "group": settings.group,
        "name": settings.name,
        "ultimate_parent": settings.ultimate_parent,
        "time_zone": settings.time_zone,
        "lg_k": settings.lg_k,
        "namespaces": {name: namespace.model_dump(mode="json") for name, namespace in settings.namespaces.items()},
        "epochs": [{"epoch": epoch.epoch, "from": epoch.from_} for epoch in settings.epochs],
        "entities": [
            {"entity": name, "name": group.entities[name].name, **of_days}
            | {"products": [_product(product) for product in group.entities[name].products]}
            for name, of_days in ties.items()
            if of_days or name == settings.ultimate_parent
        ],
    }


def drawn_document(
    group: Group, days: Sequence[date], shares: Collection[Decimal], known: Collection[str]
) -> list[dict[str, Any]]:
    """Who belongs to the group on each day, by which path, and who of the entities `known` doesn't.

    `shares`: readings may differ in the share that is control, and so in who belongs to the group.
    """
    drawn = []
    for on in days:
        for share in sorted(shares):
            paths = group.affiliates(on, share)
            outside = {name: group.why_outside(name, paths, on) for name in group.entities if name in known and name not in paths}
            drawn.append(
                {
                    "on": on,
                    "control_share": share,
                    "members": [{"entity": name, "path": [str(step) for step in path]} for name, path in paths.items()],
                    "outside": [{"entity": name, "why": why} for name, why in outside.items()],
                }
            )
    return drawn


def _ties(entity: Entity, days: Sequence[date]) -> dict[str, list[dict[str, Any]]]:
    """Who owned or controlled an entity on at least one of these days."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for kind, ties in (("owned_by", entity.owned_by), ("controlled_by", entity.controlled_by)):
        of_days = [tie for tie in ties if any(tie.holds_on(day) for day in days)]
        if of_days:
            known = [tie if tie.to is None or tie.to <= days[-1] else tie.model_copy(update={"to": None}) for tie in of_days]
            by_kind[kind] = [tie.model_dump(mode="json", by_alias=True) for tie in known]
    return by_kind


def _product(product: Product) -> dict[str, Any]:
    """The settings of a product that decide what was due of the product; not where its events lie."""
    settings = {"product", "name", "active", "grain", "settles_after", "from_", "to"}
    return {**product.model_dump(mode="json", by_alias=True, include=settings), "day_zone": product.day_zone}


def all_versions(inputs: Inputs) -> tuple[StoredContribution, ...]:
    """The contributions that figures rest on: those that are counted, and those that can contradict them."""
    return (*inputs.versions, *inputs.other_grain)


def numbers(bases: Sequence[FigureBasis]) -> dict[int, int]:
    """By the store's number of a contribution, its number in a bundle: its place, counted from 1."""
    ids = sorted({version.id for basis in bases for version in all_versions(basis.inputs)})
    return {number: place for place, number in enumerate(ids, 1)}


def inputs_document(bases: Sequence[FigureBasis]) -> dict[str, Any]:
    """inputs.json without its namespaces: each contribution and stated count that a figure rests on, and products by evidence."""
    versions = {version.id: version for basis in bases for version in all_versions(basis.inputs)}
    stated = [c for basis in bases for c in (*basis.inputs.stated_counts.values(), *basis.inputs.ceilings.values())]
    given = {(count.ref, count.kind): count for count in stated}
    first = bases[0].inputs
    grades = dict.fromkeys(GRADES, 0)
    for ref, _ in first.due:
        grains = {version.grain for version in first.versions if version.ref == ref}
        grades[_grade(grains, first.stated_counts.get(ref))] += 1
    return {
        "contributions": [versions[number].to_dict() | {"id": place} for number, place in numbers(bases).items()],
        "given": [asdict(count) for _, count in sorted(given.items())],
        "rests": [
            {"reading": basis.reading.name, "on": basis.on, "inputs": basis.inputs.digest, "unerased": basis.inputs.unerased}
            for basis in bases
        ],
        "grades": grades,
    }


def _grade(grains: Collection[str], given: StatedCount | None) -> str:
    """The kind of evidence that there is for a product: sketches before a stated number."""
    if grains:
        return "daily contributions" if "day" in grains else "monthly contributions"
    return f"a {given.kind}" if given else "nothing"


def contributions_digest(versions: Sequence[StoredContribution]) -> str:
    """The digest of all that a bundle says of contributions, but for their numbers and for what may be erased later."""
    rows = [{name: value for name, value in v.to_dict().items() if name not in ("id", "erased_at")} for v in versions]
    return hash_chain.digest_of(sorted(rows, key=lambda row: hash_chain.canonical(row)))


def reading_document(reading: Reading) -> dict[str, Any]:
    """A reading, as licence.json has it."""
    return reading.model_dump(mode="json")


def terms_document(record: OfRecord | None, grants: Sequence[Json], accepted: Sequence[Json]) -> dict[str, Any]:
    """What is known of a licence besides its text, and may change after a month is signed; without the day it is asked for."""
    terms: dict[str, Any] = plain(
        {
            "of_record": record.model_dump(mode="json", by_alias=True) if record else None,
            "grants": [{name: value for name, value in grant.items() if name != "in_force"} for grant in grants],
            "accepted": list(accepted),
        }
    )
    return terms


def tested_document(outcome: Json) -> dict[str, Any]:
    """The numbers of a test under one reading, before any grant; `outcome`: as licence.json has it."""
    left_out = {*_OPEN, *_COVERED, "of_record"}
    kept = {name: value for name, value in outcome.items() if name not in left_out}
    tested: dict[str, Any] = plain(kept | {"result": outcome["found"] or outcome["result"]})
    return tested


def open_digest(outcome: Json) -> str:
    """The digest of what would settle a test."""
    return hash_chain.digest_of(plain({name: outcome[name] for name in _OPEN}))


def covered_digest(outcome: Json) -> str:
    """The digest of what grants and exemptions make of a test."""
    return hash_chain.digest_of(plain({name: outcome[name] for name in _COVERED}))


def noted_entry(entries: Sequence[LedgerEntry], row: Json) -> LedgerEntry | None:
    """The entry of a test's row of `licence_tests`; null where no entry has it."""
    content = hash_chain.digest_of(hash_chain.row_content(row))
    return next((entry for entry in entries if entry.kind == "tested" and entry.body.get("content") == content), None)


def entries_of(entries: Sequence[LedgerEntry], month: str, reading: str) -> list[LedgerEntry]:
    """The entries of a month's publications under a reading, in order; `month`: YYYY-MM."""
    return [e for e in entries if e.kind == "published" and (e.body.get("month"), e.body.get("reading")) == (month, reading)]


def superseded(entries: Sequence[LedgerEntry]) -> int | None:
    """The number of the entry that the last of a month's `entries_of` restates; null where it restates none."""
    signed = [entry.number for entry in entries[:-1] if entry.body.get("state") != "preliminary"]
    return signed[-1] if signed and entries[-1].body.get("state") != "preliminary" else None


def basis_of(collected: str | None) -> dict[str, Any] | None:
    """What a signed month rests on, by the record that is kept with its signature; null where the record has none."""
    record = json.loads(collected) if collected else {}
    basis = record.get(BASIS)
    return basis if isinstance(basis, dict) else None
