"""The store's tables (SQLAlchemy Core), with a comment on every table and column.

Rows are never changed: a newer row stands beside the older one, and `known_at` says since when. There are three exceptions:
`sketches.image` becomes null when it is erased (the digest stays), and rows of `sources_seen` and `column_comments` are
replaced.

To change a table, change it here, add a migration in `sql/migrations/versions`, and a store of the new schema in
`tests/data/stores`: a test compares the migrations' outcome with this module, another upgrades every old store. Migrations that
are there are never rewritten. To add a column to a view, see `views.py`.

Tables of what pages show beside the figures lie in `shown_schema`. Over 300 lines: the tables are read together.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Column, Date, Float, ForeignKey, Integer, LargeBinary, String, Table

from pipelines.store import shown_schema
from pipelines.store.column_types import BIG, Utc
from pipelines.store.tables import metadata as metadata
from pipelines.store.tables import new_table, number

PARAMETERS = 500
"""Values that one statement compares with at most: SQLite before 3.32 takes 999 in all."""

Item = TypeVar("Item")
SHOWN = shown_schema.TABLES
"""The tables of `shown_schema`: with them the metadata are whole."""


sketches = new_table(
    "sketches",
    "HLL sketches, each kept once",
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the registers"),
    Column("lg_k", Integer, nullable=False, comment="log2 of the number of registers"),
    Column("image", LargeBinary, comment="DataSketches image, zstd where that is shorter; null once erased"),
    Column("erased_at", Utc, comment="when the image was erased"),
)

contributions = new_table(
    "contributions",
    "What an affiliate handed over for one product and period; each version kept",
    Column("id", BIG, primary_key=True, comment="grows with time: the greatest of a period is the current one"),
    Column("affiliate", String(64), nullable=False, comment="the entity that offers the product"),
    Column("product", String(64), nullable=False, comment="the product"),
    Column("grain", String(5), nullable=False, comment="day or month"),
    Column("activity_date", Date, nullable=False, comment="the day, or the month's first day"),
    Column("digest", String(64), nullable=False, comment="SHA-256 of registers and key columns: its identity"),
    Column("key_epoch", String(32), nullable=False, comment="of the group key"),
    Column("key_fingerprint", String(12), nullable=False, comment="of the key that its canary proved"),
    Column("crosswalk_digest", String(64), nullable=False, comment="of the month's crosswalk; empty for none"),
    Column("normalisation", String(32), nullable=False, comment="of identifiers, with its version"),
    Column("unidentified_events", **number("events without a usable identifier; null if not known")),
    Column("undecided_events", **number("events that a condition left undecided; null if not known")),
    Column("definition", String(80), nullable=False, comment="id/version of what the product calls active"),
    Column("definition_digest", String(64), comment="of the settings that decide who counts; null if not known"),
    Column("day_zone", String(64), nullable=False, comment="IANA zone of the day"),
    Column("computed_at", Utc, nullable=False, comment="when the affiliate's query ran"),
    Column("producer", String(200), nullable=False, comment="engine and version"),
    Column("known_at", Utc, nullable=False, comment="when this store received it"),
    Column("supersedes", BIG, ForeignKey("contributions.id"), comment="the version before it"),
    Column("reason", String(500), comment="why it was restated, once its month was closed"),
    Column("sender", String(64), comment="the affiliate that handed it in; null for what was computed here"),
    Column("approved_by", String(200), comment="who approved that it was restated, once its month was closed"),
    Column("audiences", String(32), comment="all that it is of, such as external; null for external, internal and automated"),
    Column("excluded_events", **number("events that counts_when leaves out, or of other audiences; null if not known")),
    # `next_epoch` in the code; the column keeps the name that stores and queries know.
    Column(
        "ahead",
        sa.Boolean(name="ahead"),
        nullable=False,
        server_default=sa.false(),
        comment=("whether it is a day's second one, under the coming epoch's key: for windows across its change, and no month"),
    ),
    # For `current` by period: the greatest `id` of a key is the last entry of its stretch of the index.
    sa.Index(None, "affiliate", "product", "grain", "activity_date", "ahead", "id"),
    # For a month's days of all products.
    sa.Index(None, "activity_date"),
)

parts = new_table(
    "parts",
    "The sketches of a contribution, by audience and namespace",
    Column("contribution_id", BIG, ForeignKey("contributions.id"), primary_key=True, comment="the contribution"),
    Column("audience", String(9), primary_key=True, comment="external, internal or automated"),
    Column("namespace", String(32), primary_key=True, comment="of the identifiers"),
    Column("sketch", String(64), ForeignKey("sketches.digest"), nullable=False, comment="digest of its registers"),
    Column("events", **number("events of these users; null if not known")),
    Column("distinct_users", **number("exact number of distinct keys, if known")),
    Column("estimate", **number("users by the sketch; null if it came before this was noted")),
)

confirmations = new_table(
    "confirmations",
    "A contribution computed again after it settled, with the same result",
    Column("contribution_id", BIG, ForeignKey("contributions.id"), primary_key=True, comment="the contribution"),
    Column("computed_at", Utc, primary_key=True, comment="when the affiliate's query ran again"),
    Column("known_at", Utc, nullable=False, comment="when this store received it"),
)

receipts = new_table(
    "receipts",
    "Files of contributions that were handed in, taken or refused; each kept",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("file", String(200), nullable=False, comment="its name"),
    Column("sha256", String(64), nullable=False, comment="of its bytes; of a folder, of its part-files' digests"),
    Column("sender", String(64), comment="the affiliate that handed it in; null if that couldn't be told"),
    Column("bound_by", String(64), nullable=False, comment="what the sender was known by"),
    Column("received_at", Utc, nullable=False, comment="when this store received it"),
    Column("outcome", String(8), nullable=False, comment="accepted or refused"),
    Column("reasons", sa.Text, nullable=False, comment="one a line: why it was refused; empty for what was accepted"),
)

# A condition on `sketches` joined to `contributions`, and not `image is null` alone: another contribution may have brought the
# same registers since (a small product's other day), and has them for itself alone.
GONE = sketches.c.erased_at.is_not(None) & (sketches.c.image.is_(None) | (contributions.c.known_at <= sketches.c.erased_at))
"""Whether a sketch is erased for a contribution that has it."""

erasures = new_table(
    "erasures",
    "Sketches that were erased, and periods that may be contributed again after it; each kept",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("kind", String(7), nullable=False, comment="erased, or allowed: to be contributed again"),
    Column("affiliate", String(64), comment="whose product it was; null for all"),
    Column("product", String(64), comment="the product; null for all"),
    Column("first_day", Date, comment="the first day; null for all"),
    Column("last_day", Date, comment="the last day; null for all"),
    Column("key_epoch", String(32), comment="the key epoch; null for all"),
    Column("before", Date, comment="first day of the month before which all periods went; null for no such limit"),
    Column("superseded", sa.Boolean(name="superseded"), nullable=False, comment="whether only versions that others replaced"),
    Column("periods", **number("days and months of products whose sketches went", nullable=False)),
    Column("sketches", **number("sketches that went", nullable=False)),
    Column("bytes", **number("that they took up", nullable=False)),
    Column("shared", **number("sketches that stayed, since contributions beyond are the same", nullable=False)),
    Column("signed_by", String(200), nullable=False, comment="who ordered it"),
    Column("reason", String(500), nullable=False, comment="why"),
    Column("known_at", Utc, nullable=False, comment="when: the same as in sketches.erased_at"),
)

counts = new_table(
    "counts",
    "Numbers given where there is no sketch: counts of a month, and ceilings",
    Column("id", BIG, primary_key=True, comment="grows with time: the greatest of a month is the current one"),
    Column("affiliate", String(64), nullable=False, comment="the entity that offers the product"),
    Column("product", String(64), nullable=False, comment="the product"),
    Column("month", Date, nullable=False, comment="first day of the month"),
    Column("kind", String(7), nullable=False, comment="count or ceiling"),
    Column("users", **number("the number; null withdraws the one before")),
    Column("unit", String(64), nullable=False, comment="what it counts; people for a count"),
    Column("document", String(500), nullable=False, comment="where it stands"),
    Column("attested_by", String(200), nullable=False, comment="who answers for it"),
    Column("known_at", Utc, nullable=False, comment="when this store received it"),
    sa.Index(None, "month", "affiliate", "product", "kind", "id"),
)

sources_seen = new_table(
    "sources_seen",
    "What files a period was computed from, so that a file that changes later is noticed; replaced",
    Column("affiliate", String(64), primary_key=True, comment="the entity that offers the product"),
    Column("product", String(64), primary_key=True, comment="the product"),
    Column("grain", String(5), primary_key=True, comment="day or month"),
    Column("activity_date", Date, primary_key=True, comment="the day, or the month's first day"),
    Column(
        "files",
        String(64),
        nullable=False,
        comment="STATED:EXACT, 31 hex each: SHA-256 of names, sizes and times of change; with inodes and times of attributes",
    ),
    Column("seen_at", Utc, nullable=False, comment="when the period was computed from them"),
)

publications = new_table(
    "publications",
    "One publishing of all figures of a month under a reading; each kept",
    Column("id", BIG, primary_key=True, comment="grows with time: the greatest of a month and reading is in force"),
    Column("month", Date, nullable=False, comment="first day of the month"),
    Column("reading", String(64), nullable=False, comment="name of the reading"),
    Column("state", String(11), nullable=False, comment="preliminary, closed or restated"),
    Column("inputs", String(64), nullable=False, comment="SHA-256 of all that the figures rest on"),
    Column("method", Integer, nullable=False, comment="of counting; 0 where it is part of the inputs"),
    Column("not_counted", sa.Text, nullable=False, comment="one a line: who is left out and why; empty for nobody"),
    Column("contributions_to", **number("the last contribution that could count; null before it was noted")),
    Column("counts_to", **number("the last count that could count; null before it was noted")),
    Column("signed_by", String(200), comment="who closed or restated the month; null while preliminary"),
    Column("despite", sa.Text, comment="why it was closed although something was open"),
    Column("reason", sa.Text, comment="why it was restated"),
    Column("supersedes", BIG, ForeignKey("publications.id"), comment="the closed publication that it restates"),
    Column("collected", sa.Text, comment="JSON: what affiliates attested when it was signed, and what was reconciled"),
    Column("known_at", Utc, nullable=False, comment="when it was published"),
    sa.Index(None, "month", "reading", "id"),
)

figures = new_table(
    "figures",
    "Published figures: different people in a calendar month; each version kept",
    Column("id", BIG, primary_key=True, comment="grows with time: the greatest of a subject is the current one"),
    Column("month", Date, nullable=False, comment="first day of the month"),
    Column("reading", String(64), nullable=False, comment="name of the reading"),
    Column("scope", String(9), nullable=False, comment="group, affiliate or product"),
    Column("subject", String(140), nullable=False, comment="the group, the affiliate, or affiliate/product"),
    Column("estimate", **number("users; null if nothing was contributed")),
    Column("lower", **number("95 % lower bound, users", nullable=False)),
    Column("upper", **number("95 % upper bound, users; null if there is none")),
    Column("standard_error", Float, nullable=False, comment="of the sketch alone, users"),
    Column("identity_low", **number("users if all namespaces hold the same people")),
    Column("identity_high", **number("users if no two namespaces share a person")),
    Column("summed_products", **number("sum over products, without deduplication")),
    Column("days_expected", **number("product-days due", nullable=False)),
    Column("days_present", **number("product-days contributed", nullable=False)),
    Column("months_expected", **number("product-months due", nullable=False)),
    Column("months_present", **number("product-months contributed", nullable=False)),
    Column("complete", sa.Boolean(name="complete"), nullable=False, comment="all that was due is there and settled"),
    Column("state", String(11), nullable=False, comment="preliminary, closed or restated"),
    Column("lg_k", Integer, comment="lowest lg_k among the sketches; null without any"),
    Column("unidentified_events", **number("events without a usable identifier, so not counted", nullable=False)),
    Column("undecided_events", **number("events that a condition left undecided, taken for false", nullable=False)),
    Column("excluded_events", **number("events that counts_when leaves out, or of other audiences; null if not known")),
    Column("automated_users", **number("automated users, by the sketches; null if not known")),
    Column("reasons", sa.Text, nullable=False, comment="one a line: what is missing or stands in; empty for nothing"),
    Column("inputs", String(64), nullable=False, comment="SHA-256 of all that the month's figures rest on"),
    Column("known_at", Utc, nullable=False, comment="when it was published"),
    Column("publication", BIG, ForeignKey("publications.id"), comment="with which it was published"),
    sa.Index(None, "month", "reading", "scope", "subject", "id"),
    sa.Index(None, "publication"),
)

licence_tests = new_table(
    "licence_tests",
    "Results of licence tests, by version, licensee and reading; each version kept",
    Column("id", BIG, primary_key=True, comment="grows with time: the greatest of a test is the current one"),
    Column("licence", String(64), nullable=False, comment="the licence's id in the registry"),
    Column("licensee", String(64), nullable=False, comment="the entity that is tested, with its affiliates"),
    Column("reading", String(64), nullable=False, comment="name of the reading"),
    Column("released", Date, nullable=False, comment="the version's release date"),
    Column("measured_month", Date, nullable=False, comment="first day of the month that the clause tests"),
    Column("threshold", **number("users that must not be exceeded", nullable=False)),
    Column("result", String(12), nullable=False, comment="under, over, undetermined, not_measured, granted or exempt"),
    Column("estimate", **number("users under this reading")),
    Column("lower", **number("95 % lower bound, users")),
    Column("upper", **number("95 % upper bound, users")),
    Column("of_record", sa.Boolean(name="of_record"), nullable=False, comment="whether this is the reading of record"),
    Column("known_at", Utc, nullable=False, comment="when it was tested"),
    sa.Index(None, "licence", "licensee", "reading", "id"),
)

ledger = new_table(
    "ledger",
    "What was published, tested and erased: each entry holds the digest of the one before",
    # The chain counts its entries itself, since an entry's number is under the entry's digest.
    Column("number", BIG, primary_key=True, autoincrement=False, comment="from 1 on, without a gap"),
    Column("at", String(32), nullable=False, comment="when, UTC"),
    Column("kind", String(16), nullable=False, comment="began, published, tested or erased"),
    Column("body", sa.Text, nullable=False, comment="JSON: what it is about, and the digest of its rows"),
    Column("previous", String(64), nullable=False, comment="digest of the entry before"),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the entry with the digest of the one before"),
)

incidents = new_table(
    "incidents",
    "What happened to alerts: each row is a transition, and the last one of an alert says how it is",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("opened", BIG, nullable=False, comment="its first transition since it was last over: its number"),
    Column("kind", String(17), nullable=False, comment="threshold, missing_data, failed_run, definition_change or jump"),
    Column("rule", String(140), nullable=False, comment="whose threshold, as family/threshold; empty for alerts about data"),
    Column("reading", String(64), nullable=False, comment="the reading of record; empty where figures don't matter"),
    Column("action", String(12), nullable=False, comment="raised, lowered, cleared, found, ended, escalated, ... or looked"),
    Column("level", String(7), nullable=False, comment="none, watch, prepare, act, over; open for alerts about data"),
    Column("subjects", sa.Text, nullable=False, comment="one a line: months, products, jobs; empty for thresholds"),
    Column("as_of", Date, comment="last day of the newest period that was looked at"),
    Column("estimate", **number("users in that period")),
    Column("lower", **number("95 % lower bound, users")),
    Column("upper", **number("95 % upper bound, users; null if there is none")),
    Column("threshold", **number("users that must not be exceeded")),
    Column("within_year", Float, comment="probability that it is passed within twelve months; null without a forecast"),
    Column("within_quarter", Float, comment="the same within three months"),
    Column("acknowledged_by", String(200), comment="who has seen it; null once it is worse"),
    Column("closed_by", String(200), comment="who closed it"),
    Column("reason_code", String(20), comment="why it was closed"),
    Column("matter", String(64), comment="number of the matter under which it was closed"),
    Column("note", String(500), comment="what was said beside it"),
    Column("memory", sa.Text, nullable=False, comment="what the next look goes on from, in JSON"),
    Column("known_at", Utc, nullable=False, comment="when it happened"),
    sa.Index(None, "kind", "rule", "reading", "id"),
)

outbox = new_table(
    "outbox",
    "Messages about alerts, put here with the figure that they are about; each kept",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("key", String(32), nullable=False, unique=True, comment="the same whenever it is sent: a repeat is known by it"),
    Column("transition", BIG, ForeignKey("incidents.id"), nullable=False, comment="what it tells of"),
    Column("channel", String(64), nullable=False, comment="name of the channel in alerts.yaml"),
    Column("address", Integer, nullable=False, comment="which of the channel's addresses, from 0"),
    Column("payload", sa.Text, nullable=False, comment="title and text with figures and without, in JSON"),
    Column("created_at", Utc, nullable=False, comment="when it was put here"),
)

deliveries = new_table(
    "deliveries",
    "Attempts to send messages; each kept, and the last one of a message says how it is",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("message", BIG, ForeignKey("outbox.id"), nullable=False, comment="the message"),
    Column("attempt", Integer, nullable=False, comment="from 1"),
    Column("outcome", String(10), nullable=False, comment="sending, sent, failed or superseded, by a worse level"),
    Column("sender", String(200), nullable=False, comment="host, process and its start: who is sending"),
    Column("said", String(200), comment="what kind of failure; never an address"),
    Column("at", Utc, nullable=False, comment="when"),
    Column("until", Utc, comment="of sending: when another may; of failed: when it is tried again"),
    sa.Index(None, "message", "id"),
)

scenarios = new_table(
    "scenarios",
    "What-if scenarios and their answers; each kept as it was run, and seen by who may see it alone",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("owner", String(200), nullable=False, comment="who ran it"),
    Column("name", String(64), nullable=False, comment="the owner's name for it: a secret"),
    Column("version", Integer, nullable=False, comment="from 1: the owner's scenarios of one name"),
    Column("definition", sa.Text, nullable=False, comment="JSON: all that the scenario's file says"),
    Column("folder", sa.Text, nullable=False, comment="from which files that the definition names are found; empty for none"),
    Column("inputs", sa.Text, nullable=False, comment="JSON: digests of all that the answer rests on"),
    Column("answer", sa.Text, nullable=False, comment="JSON: the answer"),
    Column("answer_digest", String(64), nullable=False, comment="SHA-256 of the answer's text"),
    Column("program", String(64), nullable=False, comment="version of mauwatch that has run it"),
    Column("known_at", Utc, nullable=False, comment="when it was kept"),
    sa.UniqueConstraint("owner", "name", "version"),
)

scenario_access = new_table(
    "scenario_access",
    "Who may see a scenario beside its owner; each kept, and a person's last row of a scenario is in force",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("scenario", BIG, ForeignKey("scenarios.id"), nullable=False, comment="the scenario"),
    Column("person", String(200), nullable=False, comment="who may see it, or may no longer"),
    Column("granted_by", String(200), nullable=False, comment="who said so: the scenario's owner"),
    Column("revoked", sa.Boolean(name="revoked"), nullable=False, comment="whether the person may no longer see it"),
    Column("known_at", Utc, nullable=False, comment="since when"),
    sa.Index(None, "scenario", "person", "id"),
    sa.Index(None, "person"),
)

column_comments = new_table(
    "column_comments",
    "What each column means, since SQLite keeps no comments",
    Column("table_name", String(64), primary_key=True, comment="table"),
    Column("column_name", String(64), primary_key=True, comment="column; empty for the table itself"),
    Column("comment", String(500), nullable=False, comment="what it means"),
)


def comments() -> list[dict[str, str]]:
    """The rows of `column_comments` for all tables."""
    rows = [{"table_name": t.name, "column_name": "", "comment": t.comment or ""} for t in metadata.sorted_tables]
    for t in metadata.sorted_tables:
        rows += [{"table_name": t.name, "column_name": c.name, "comment": c.comment or ""} for c in t.columns]
    return rows


def current(table: Table, *key: str) -> sa.Select[Any]:
    """A query for the `id` of each key's current row: the greatest one, since a newer row stands beside the older one.

    `key`: names of columns. A caller narrows the query by `where`, and uses it in `id in (...)`.
    """
    return sa.select(sa.func.max(table.c.id)).group_by(*(table.c[name] for name in key))


def chunks(items: Sequence[Item], size: int = PARAMETERS) -> Iterator[Sequence[Item]]:
    """The items in their order, at most `size` together: as many as one statement takes."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
