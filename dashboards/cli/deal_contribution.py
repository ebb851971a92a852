"""`contribute --key-for DEAL`: what one side of a deal hands over, into the deal's own folder."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from affiliates.concurrency import atomic_write, private_folder
from affiliates.errors import Code, refused
from affiliates.periods import period_days
from dashboards.cli import console

if TYPE_CHECKING:
    from affiliates.aggregation.contribute import EdgeContext
    from affiliates.manifests.product import Product, ProductRef
    from affiliates.manifests.settings import Settings
    from affiliates.sources.protocol import EventSource

    OfGroup = tuple[ProductRef, Product]

_MOST_SHOWN = 5
"""Products that a refusal gives reasons for."""
REVEALS = "What it reveals to whoever has it and the key, and the other side has both:"


def days_asked(
    folder: Path, asked: tuple[date, date] | None, elsewhere: Sequence[object], queries: Sequence[object]
) -> tuple[date, date]:
    """The days of the deal's month. `elsewhere`, `queries`: options that ask for another file, and for a printed query.

    Raises `RefusedError` for a folder that is no deal's, and `typer.BadParameter` where such an option is given, or other days.
    """
    if any(queries):
        raise typer.BadParameter(
            "--key-for counts here, and prints no query: a warehouse keeps its queries, and the deal's key would be among them. "
            "Name the events' files by --files, or in the manifest a database that is read from here"
        )
    if any(elsewhere):
        raise typer.BadParameter("--key-for writes the deal's file into the deal's folder, where `deal destroy` deletes it")
    from affiliates.aggregation.clean_room import deal

    terms = deal.read(folder).terms
    days = period_days("month", terms.month)
    if asked not in (None, days):
        raise typer.BadParameter(f"the deal's month is {terms.month:%Y-%m}: leave --month, --from and --to out")
    return days


def by_manifest(directory: Path, subject: str | None) -> "tuple[Settings, list[OfGroup]]":
    """The settings, and all products of the affiliates that are asked for, whether their events can be hashed here or not.

    Raises `RefusedError` where there is none whose events can.
    """
    from affiliates.manifests.loader import read_group

    group = read_group(directory, edge=True)
    usable = _usable(list(group.products.items()), subject)
    if not usable:
        asked = [(ref, product) for ref, product in group.products.items() if subject is None or ref.belongs_to(subject)]
        others = ", ".join(str(ref) for ref, _ in _usable(list(group.products.items()), None)) or "none"
        why = "; ".join([f"{ref}: {_why_not(product)}" for ref, product in asked][:_MOST_SHOWN])
        raise refused(
            Code.PRODUCT_UNKNOWN,
            subject or str(directory),
            "no product whose events can be hashed here",
            f"{why}; there are {others}" if why else f"there are {others}",
            "name one of them, or the events' files: --files",
        )
    affiliates = {ref.affiliate for ref, _ in usable}
    return group.settings, [
        (ref, product) for ref, product in group.products.items() if subject is None or ref.affiliate in affiliates
    ]


def _usable(products: "Sequence[OfGroup]", subject: str | None) -> "list[OfGroup]":
    """The products that are asked for and whose events can be hashed here."""
    return [(ref, product) for ref, product in products if not _why_not(product) and (subject is None or ref.belongs_to(subject))]


def _why_not(product: "Product") -> str:
    """Why a product's events can't be hashed here under another key; empty where they can."""
    if product.has_ready_keys:
        return "its keys were made elsewhere, under the group's key"
    if any(source.table is not None and source.database is None for source in product.sources):
        return "its events are counted in the warehouse where they lie"
    return "" if product.sources else "it has no source here"


def write(
    folder: Path, products: "Sequence[OfGroup]", place: "EdgeContext", subject: str | None, yes: bool, as_json: bool
) -> None:
    """Write the contribution for a deal into the folder `ours` of the deal's, and say what left and what it reveals.

    `products`: all of the affiliates; those of them that `subject` asks for, and whose events are here, are in the file. Raises
    `RefusedError`.
    """
    from affiliates.aggregation.clean_room import contribution as ours
    from affiliates.aggregation.clean_room import deal, reveals
    from affiliates.contributions import contract
    from affiliates.periods import month_end
    from affiliates.sources import resolve

    read = deal.read(folder)
    key = read.key()
    terms = read.terms
    living = ours.check_products(_usable(products, subject), terms.month)
    by_ref = dict(products)
    lives = {ref: product.due_between(terms.month, month_end(terms.month)) for ref, product in products}
    left_out = [ref for ref in lives if lives[ref] and ref not in dict(living)]
    name = (subject or "-".join(sorted({ref.affiliate for ref, _ in living}))).replace("/", "-")
    path = private_folder(folder / deal.OURS) / f"{name}-{terms.month:%Y-%m}.parquet"
    if path.exists():  # Asked before the work, which may take an hour.
        console.confirm(path.name, f"{path} is there already. Overwrite?", yes)

    def find(ref: "ProductRef", product: "Product") -> "Sequence[EventSource]":
        return resolve.find(str(ref), product, place.directory, place.settings.time_zone)

    numbers = Counter(ref.affiliate for ref in left_out)
    contributions = list(ours.contributions(living, numbers, find, place, terms, key))
    with atomic_write(path, mode=0o600) as unfinished:
        contract.write(unfinished, contributions)
    rows = [
        {
            "affiliate": contribution.affiliate,
            "namespace": part.namespace,
            "people": round(part.registers.bounds().estimate),
            "events": part.events,
            "compared": part.namespace in terms.namespaces,
            "reveals": reveals.in_words(part.namespace, part.registers) if part.namespace in terms.namespaces else None,
        }
        for contribution in contributions
        for part in contribution.parts
    ]
    if as_json:
        answer = {"file": str(path), "month": f"{terms.month:%Y-%m}", "fingerprint": terms.fingerprint, "holds": rows}
        console.print_json(
            answer
            | {
                "products": [str(ref) for ref, _ in living],
                "left_out": [str(ref) for ref in left_out],
                "identifiers": place.spellings.findings(),
            }
        )
        return
    from dashboards.cli import tables

    columns = "affiliate", "namespace", "people", "their events", "compared"
    cells = [
        (
            f"{row['affiliate']}",
            f"{row['namespace']}",
            f"{row['people']:,}",
            f"{row['events']:,}",
            "yes" if row["compared"] else "no, not agreed on: its size alone leaves",
        )
        for row in rows
    ]
    title = f"{path}: {path.stat().st_size:,} bytes"
    console.output().print(tables.table(title, columns, cells, (2, 3)))
    console.say(f"External users of {terms.month:%Y-%m}, key fingerprint {terms.fingerprint}.")
    console.say(f"In it, and not told apart: {', '.join(str(ref) for ref, _ in living)}.")
    if left_out:
        reasons = [f"{ref} ({why})" if (why := _why_not(by_ref[ref])) else str(ref) for ref in left_out]
        console.say(f"Not in it: {', '.join(reasons)}. The file says that {len(left_out)} miss.")
    console.say("People whom the group's crosswalk would join count once by each kind of identifier.")
    for text in place.spellings.findings():
        console.say(f"{text}.")
    console.say(f"{REVEALS}")
    for text in (*(f"{row['reveals']}" for row in rows if row["reveals"]), *reveals.GENERAL):
        console.say(f"- {text}.")
    console.say(f"Next: hand {path} to the other side alone, and destroy the deal when it is over: mauwatch deal destroy.")
