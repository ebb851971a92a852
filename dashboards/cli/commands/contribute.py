"""The command `contribute`: an affiliate's edge, which runs on the core alone.

Over 300 lines: a third of them are one command's options.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affiliates.errors import Code, refused
from affiliates.periods import DAY, first_day, is_zone, local_day, month_end, month_of, period_days
from dashboards.cli import console, deal_contribution
from dashboards.cli.options import Json, Yes

if TYPE_CHECKING:
    from affiliates.aggregation.contribute import EdgeContext
    from affiliates.contributions.contract import Contribution
    from affiliates.manifests.product import Product, ProductRef
    from affiliates.manifests.settings import Settings
    from dashboards.cli.contribution_summary import ContributionSummary


_FLAGS = "Without a manifest"
_SQL = "In a warehouse"


def contribute(
    subject: Annotated[
        str | None, typer.Argument(metavar="AFFILIATE/PRODUCT", help="Only this product; else all of the directory's.")
    ] = None,
    group: Annotated[Path, typer.Option(help="Where group.yaml and the affiliate's manifest are.", metavar="DIR")] = Path(),
    first: Annotated[
        str | None, typer.Option("--from", help="First day; else what hasn't settled yet, to yesterday.", metavar="YYYY-MM-DD")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day.", metavar="YYYY-MM-DD")] = None,
    month: Annotated[str | None, typer.Option(help="All of a calendar month.", metavar="YYYY-MM")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The contribution's file.", metavar="FILE")] = None,
    sign: Annotated[
        Path | None, typer.Option(help="Sign the file with this key of `key pair`: FILE.sig.", metavar="KEYFILE", exists=True)
    ] = None,
    external_only: Annotated[bool, typer.Option("--external-only", help="Of no internal and automated users.")] = False,
    key_for: Annotated[
        Path | None, typer.Option("--key-for", help="Under this deal's key, for its month, into its folder.", metavar="DEAL")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    print_sql: Annotated[
        str | None,
        typer.Option(
            help="Print the query that computes it: spark, databricks, snowflake, bigquery or postgres.",
            metavar="ENGINE",
            rich_help_panel=_SQL,
        ),
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Print a query that tests the engine with a public key.", rich_help_panel=_SQL)
    ] = False,
    person_keys: Annotated[
        bool, typer.Option("--person-keys", help="Print the query of keys, for an engine without sketches.", rich_help_panel=_SQL)
    ] = False,
    next_key: Annotated[
        bool,
        typer.Option(
            "--next-key",
            help="Print it for days before a change of the key, under the coming epoch's.",
            rich_help_panel=_SQL,
        ),
    ] = False,
    crosswalk_table: Annotated[
        str | None, typer.Option(help="The table that has the month's crosswalk.", metavar="NAME", rich_help_panel=_SQL)
    ] = None,
    files: Annotated[
        str | None, typer.Option(help="The events' file, folder or pattern.", metavar="PATTERN", rich_help_panel=_FLAGS)
    ] = None,
    identifier: Annotated[
        list[str] | None,
        typer.Option(help="A column of identifiers; once or more.", metavar="NAMESPACE=COLUMN", rich_help_panel=_FLAGS),
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column of event times.", metavar="COLUMN", rich_help_panel=_FLAGS)] = None,
    counts_when: Annotated[str | None, typer.Option(help="Which events count.", metavar="SQL", rich_help_panel=_FLAGS)] = None,
    grain: Annotated[str, typer.Option(help="day or month.", rich_help_panel=_FLAGS)] = "day",
    active: Annotated[
        str, typer.Option(help="What the product calls active.", metavar="ID/VERSION", rich_help_panel=_FLAGS)
    ] = "active/1",
    key_file: Annotated[str | None, typer.Option(help="The group key's file.", metavar="FILE", rich_help_panel=_FLAGS)] = None,
    key_env: Annotated[str | None, typer.Option(help="Or its variable.", metavar="NAME", rich_help_panel=_FLAGS)] = None,
    epoch: Annotated[str, typer.Option(help="The key's epoch.", rich_help_panel=_FLAGS)] = "1",
    crosswalk: Annotated[str | None, typer.Option(help="The month's crosswalk.", metavar="FILE", rich_help_panel=_FLAGS)] = None,
    time_zone: Annotated[str, typer.Option(help="Of the group's days.", rich_help_panel=_FLAGS)] = "UTC",
    lg_k: Annotated[int, typer.Option(help="log2 of the sketch's registers.", min=12, max=21, rich_help_panel=_FLAGS)] = 21,
) -> None:
    """Count here, hand over sketches: one file that no identifier is in. Or print the query that a warehouse runs for it.

    With --files no manifest is needed: name AFFILIATE/PRODUCT, --files, --time, --identifier, --key-file and the days.
    """
    if self_test:  # It runs on a public key, so it needs neither a group directory nor days.
        from affiliates.engines.sql import ENGINES
        from affiliates.engines.sql import self_test as test_of

        console.print_exactly(test_of(_engine(print_sql, ENGINES)))
        return
    now = datetime.now(UTC)
    asked = _range(first, last, month)
    if key_for is not None:
        asked = deal_contribution.days_asked(key_for, asked, (out, sign), (print_sql, person_keys, next_key, crosswalk_table))
        # A deal takes no key of a group: a variable that nobody sets stands in its place.
        key_env = key_env or (None if key_file else "NO_KEY_OF_A_GROUP")
    if files is not None:
        settings_and_products = _by_flags(
            subject,
            files,
            identifier or [],
            time,
            counts_when,
            grain,
            active,
            asked,
            {"file": key_file, "env": key_env, "epoch": epoch},
            {"crosswalk": crosswalk, "time_zone": time_zone, "lg_k": lg_k},
        )
    elif key_for is not None:
        settings_and_products = deal_contribution.by_manifest(group, subject)
    else:
        settings_and_products = _by_manifest(group, subject)
    settings, products = settings_and_products
    place = _workplace(group, settings, now)
    if key_for is not None:
        deal_contribution.write(key_for, products, place, subject, yes, as_json)
        return
    # The contribution itself says whose users it has; a reading that counts others then has no upper bound from it.
    if external_only:
        products = [(ref, product.model_copy(update={"audiences": ("external",)})) for ref, product in products]
    if print_sql is not None:
        _print_sql(print_sql, products, place, asked, crosswalk_table, person_keys, next_key)
        return
    if next_key:
        raise typer.BadParameter("--next-key goes with --print-sql: else both keys are used where they are here")
    _write(products, place, asked, out, sign, yes, as_json)


def _range(first: str | None, last: str | None, month: str | None) -> tuple[date, date] | None:
    if month is not None:
        if first or last:
            raise typer.BadParameter("--month and --from or --to ask for two things")
        return period_days("month", console.month_of(month))
    begin_ = console.day_of(first)
    end = console.day_of(last)
    if begin_ is None and end is None:
        return None
    if begin_ is None or end is None or begin_ > end:
        raise typer.BadParameter("--from and --to go together, in order")
    return begin_, end


def _by_manifest(directory: Path, subject: str | None) -> "tuple[Settings, list[tuple[ProductRef, Product]]]":
    from affiliates.manifests.loader import read_group

    # An affiliate has group.yaml and its own manifest alone, so what names other entities isn't checked.
    group = read_group(directory, edge=True)
    there = [(ref, product) for ref, product in group.products.items() if product.sources]
    chosen = [(ref, product) for ref, product in there if subject is None or ref.belongs_to(subject)]
    if not chosen:
        names = ", ".join(str(ref) for ref, _ in there) or "none"
        raise refused(
            Code.PRODUCT_UNKNOWN,
            subject or str(directory),
            "no product with a source",
            f"there are {names}",
            "name one of them, or add its `sources`",
        )
    return group.settings, chosen


def _by_flags(
    subject: str | None,
    files: str,
    identifiers: Sequence[str],
    time: str | None,
    counts_when: str | None,
    grain: str,
    active: str,
    asked: tuple[date, date] | None,
    key: dict[str, Any],
    settings: dict[str, Any],
) -> "tuple[Settings, list[tuple[ProductRef, Product]]]":
    from affiliates.manifests.loader import from_options
    from affiliates.manifests.product import Product, ProductRef
    from affiliates.manifests.settings import Settings

    # A key that is asked for in two places, or in none, would be another person's guess.
    if (key["file"] is None) == (key["env"] is None):
        raise typer.BadParameter("with --files, say where the group key is: --key-file FILE or --key-env NAME")
    # A month's sketch of some of its days would pass for the whole month's.
    if grain == "month" and asked is not None and asked != (month_of(asked[0]), month_end(asked[1])):
        raise typer.BadParameter("--grain month takes whole months: name it by --month YYYY-MM")
    pairs = [text.partition("=") for text in identifiers]
    missing = typer.BadParameter(
        "with --files, name AFFILIATE/PRODUCT, --from and --to (or --month), and --identifier NAMESPACE=COLUMN"
    )
    if asked is None or not all(equals for _, equals, _ in pairs):
        raise missing
    try:
        ref = ProductRef.parse(subject or "")
    except ValueError:
        raise missing from None
    zone = str(settings.get("time_zone") or "UTC")
    today = local_day(datetime.now(UTC), zone if is_zone(zone) else "UTC")
    source: dict[str, Any] = {
        "files": files,
        "time": time,
        "counts_when": counts_when,
        "identifiers": [{"namespace": n, "column": c} for n, _, c in pairs],
        # Whoever names the days says that all of their events are there; of days to come nobody can.
        "complete_through": None if "{day}" in files else min(asked[1], today).isoformat(),
    }
    name, _, number = active.partition("/")
    manifest = {
        "product": ref.product,
        "from": asked[0].isoformat(),
        "grain": grain,
        "sources": [_given(source)],
        "active": {"id": name, "version": number or 1, "meaning": "as the affiliate says"},
    }
    whole = {"group": "by-options", "ultimate_parent": ref.affiliate, "key": _given(key)} | _given(settings)
    group_settings = from_options(Settings, whole, "the options")
    return group_settings, [(ref, from_options(Product, manifest, "the options"))]


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _workplace(directory: Path, settings: "Settings", now: datetime) -> "EdgeContext":
    from affiliates.aggregation.contribute import EdgeContext
    from affiliates.crosswalks.snapshot import Snapshots
    from affiliates.identity.keyring import Keyring

    keys = Keyring(settings, directory)
    return EdgeContext(directory, settings, keys, Snapshots(settings, directory, keys), now)


def days_asked(product: "Product", asked: tuple[date, date] | None, place: "EdgeContext") -> list[date]:
    """The product's days in the range asked for; else from the first that hasn't settled, in whole months where it counts so."""
    zone = product.day_zone or place.settings.time_zone
    # Today isn't over: its users so far would be taken for the day's.
    yesterday = local_day(place.now, zone) - DAY
    begin, end = asked or (first_day(product.grain, yesterday - DAY * product.settles_after), yesterday)
    return product.days_due(begin, end, zone)


def _engine(name: str | None, engines: dict[str, Any]) -> Any:
    if name not in engines:
        raise typer.BadParameter(f"--print-sql takes one of {', '.join(engines)}")
    return engines[name]


def _print_sql(
    name: str,
    products: "Sequence[tuple[ProductRef, Product]]",
    place: "EdgeContext",
    asked: tuple[date, date] | None,
    crosswalk_table: str | None,
    person_keys: bool,
    next_key: bool,
) -> None:
    from affiliates.crosswalks.snapshot import NO_CROSSWALK
    from affiliates.engines.sql import ENGINES, QueryRequest, query

    engine = _engine(name, ENGINES)
    for ref, product in products:
        if len(products) > 1 and not any(source.table for source in product.sources):
            continue
        days = days_asked(product, asked, place) or [*(asked or (place.now.date(),))]
        months = _next_epoch_months(ref, product, days, place) if next_key else {month_of(day) for day in days}
        snapshots = {c.digest if c else NO_CROSSWALK: c for c in map(place.crosswalk, months)}
        epochs = {place.settings.epoch_of(m).epoch for m in months}
        # Keys of two epochs, or of two crosswalk snapshots, are different people: one query can't hash both ways.
        if len(snapshots) > 1 or len(epochs) > 1:
            raise refused(
                Code.USAGE_INVALID,
                str(ref),
                "one query has one key and one crosswalk",
                f"{days[0]} to {days[-1]}",
                "print a query for each month",
            )
        snapshot = next(iter(snapshots.values()))
        wanted = QueryRequest(
            ref,
            product,
            place.settings,
            epochs.pop(),
            days[0],
            days[-1],
            crosswalk_table,
            snapshot,
            person_keys,
        )
        console.print_exactly(query(engine, wanted))


def _next_epoch_months(ref: "ProductRef", product: "Product", days: Sequence[date], place: "EdgeContext") -> set[date]:
    """The month by whose key and crosswalk second contributions of these days are made."""
    from affiliates.identity.epochs import REACH, next_epoch

    next_epochs = {next_epoch(place.settings, day) if product.grain == "day" else None for day in days}
    # Only products that count by day have second contributions; a month under two keys can't be split.
    if None in next_epochs:
        raise refused(
            Code.RANGE_EMPTY,
            str(ref),
            "no day before a change of the key",
            f"{days[0]} to {days[-1]}",
            f"ask for days of a product that counts by day, at most {REACH} before the `from` of an epoch in `keys`",
        )
    return {coming.from_ for coming in next_epochs if coming and coming.from_}


def _write(
    products: "Sequence[tuple[ProductRef, Product]]",
    place: "EdgeContext",
    asked: tuple[date, date] | None,
    out: Path | None,
    sign: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    from affiliates.concurrency import atomic_write
    from affiliates.contributions import contract
    from dashboards.cli.contribution_summary import ContributionSummary

    summary = ContributionSummary()
    days = [day for _, p in products for day in days_asked(p, asked, place)]
    if not days:
        raise refused(
            Code.RANGE_EMPTY,
            "the range",
            "holds no day of any product's life",
            "{} to {}".format(*asked) if asked else "what hasn't settled, to yesterday",
            "ask for other days",
        )
    names = sorted({ref.affiliate for ref, _ in products})
    # Affiliates and days in the name: whoever receives several files can tell them apart.
    path = out or Path(f"{'-'.join(names)}-{min(days)}-{max(days)}.parquet")
    if path.exists():  # Asked before the work, which may take an hour.
        console.confirm(str(path), f"{path} is there already. Overwrite?", yes)
    # In one step: a file that is cut off in the middle could be handed in as if it were whole. For its owner alone: how many
    # people used a product is nobody else's business.
    with console.progress_bar() as progress, atomic_write(path, mode=0o600) as unfinished:

        def contributions() -> "Iterator[Contribution]":
            for number, (ref, product) in enumerate(products):
                progress(str(ref), number, len(products))
                for contribution in _counted(ref, product, place, days_asked(product, asked, place), summary):
                    yield summary.leaves(contribution)

        contract.write(unfinished, contributions())
        # An empty file would look like days without users.
        if not summary.periods:
            raise refused(
                Code.RANGE_EMPTY,
                "the range",
                "no period of it is whole in the sources",
                summary.missing_said,
                "bring the events, or ask for others",
            )
    summary.path = path
    summary.looks = place.spellings.findings()
    if sign is not None:
        from affiliates import signing

        signing.sign_beside(path, sign)
    if as_json:
        console.print_json(summary.to_dict())
    else:
        console.output().print(summary.shown())


def _counted(
    ref: "ProductRef", product: "Product", place: "EdgeContext", days: Sequence[date], summary: "ContributionSummary"
) -> "Iterator[Contribution]":
    from affiliates.aggregation import availability, key_overlap
    from affiliates.sources import resolve

    subject = str(ref)
    event_sources = resolve.find(subject, product, place.directory, place.settings.time_zone)
    periods = availability.periods_present(event_sources, product, days, product.day_zone or place.settings.time_zone, place.now)
    there = {day for ds in periods.values() for day in ds}
    unread = [text for event_source in event_sources for text in event_source.left_out]
    summary.read(
        subject, [day for day in days if day not in there], sum(f.bytes_of(sorted(there)) for f in event_sources), unread
    )
    next_epoch = key_overlap.next_epoch_days(product, list(periods), place)
    # Batch by batch: memory is bounded by one pass over the sources, not by the range of days.
    for batch in (
        key_overlap.contribute_under_both_keys(ref, product, event_sources, periods, next_epoch, place) if periods else ()
    ):
        yield from batch
