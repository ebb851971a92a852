"""The store's tables of what pages show beside the figures: outlooks, clause results, changes, widths of ranges, runs.

Nothing here is evidence, and no entry of the ledger is about it: a run writes it beside the figures, in their transaction, and
whoever reads a figure needs none of it. Rows are never changed, as in `schema`, which has the steps to change a table.
"""

import sqlalchemy as sa
from sqlalchemy import Column, Date, Float, ForeignKey, Integer, String

from pipelines.store.column_types import BIG, Utc
from pipelines.store.tables import new_table, number

outlooks = new_table(
    "outlooks",
    "What was expected of a threshold after a published month; each kept, and no evidence",
    Column("id", BIG, primary_key=True, comment="grows with time: the greatest of a question is the current one"),
    Column("month", Date, nullable=False, comment="first day of the last month that the outlook rests on"),
    Column("reading", String(64), nullable=False, comment="name of the reading"),
    Column("subject", String(140), nullable=False, comment="an affiliate, or affiliate/product; empty for the whole group"),
    Column("threshold", **number("users that must not be exceeded", nullable=False)),
    Column("basis", String(64), nullable=False, comment="SHA-256 of all that it rests on: months, code, lead times"),
    Column("estimate", **number("users in that month", nullable=False)),
    Column("lower", **number("95 % lower bound, users")),
    Column("upper", **number("95 % upper bound, users")),
    Column("over_now", Float, nullable=False, comment="probability that the month itself is over, by its range"),
    Column("within_quarter", Float, nullable=False, comment="probability of a month over within three, by the range"),
    Column("within_year", Float, nullable=False, comment="the same within twelve months"),
    Column("not_within", Float, nullable=False, comment="probability that no month of the horizon is over, by the range"),
    Column("not_within_by_estimate", Float, nullable=False, comment="the same as if the estimate were the truth"),
    Column("crossing", Date, comment="first day of the month by which it is passed with even odds, by the range; null for none"),
    Column("decisions", sa.Text, nullable=False, comment="JSON: by doubt and probability, crossing and days to decide by"),
    Column("notes", sa.Text, nullable=False, comment="one a line: what a reader has to know, and the basis in words"),
    Column("left_out", sa.Text, nullable=False, comment="one a line: months that are no evidence, and why"),
    Column("known_at", Utc, nullable=False, comment="when it was published"),
    sa.Index(None, "month", "reading", "subject", "threshold", "id"),
)

_FAN = {"p2_5": "2.5", "p10": "10", "p50": "50", "p90": "90", "p97_5": "97.5"}
outlook_months = new_table(
    "outlook_months",
    "An outlook's own month and those to come; by the range: with its bounds' doubt; by the estimate: growth's alone",
    Column("outlook", BIG, ForeignKey("outlooks.id"), primary_key=True, comment="the outlook"),
    Column("month", Date, primary_key=True, comment="first day of the month: the outlook's own, or one to come"),
    *(
        Column(name, Float, nullable=False, comment=f"{share} % of paths lie below, users, by the range")
        for name, share in _FAN.items()
    ),
    *(
        Column(f"{name}_by_estimate", Float, nullable=False, comment=f"{share} % of paths lie below, users, by the estimate")
        for name, share in _FAN.items()
    ),
    Column("over", Float, nullable=False, comment="probability of being over in this month, by the range"),
    Column("over_by_estimate", Float, nullable=False, comment="the same by the estimate"),
    Column(
        "crossed", Float, nullable=False, comment="probability that this month to come, or one before it, is over, by the range"
    ),
    Column("crossed_by_estimate", Float, nullable=False, comment="the same by the estimate"),
)

clause_results = new_table(
    "clause_results",
    "Results of every clause by licensee, product and reading, and what would settle them; each kept, no evidence",
    Column("id", BIG, primary_key=True, comment="grows with time: the greatest of a test is the current one"),
    Column("licence", String(64), nullable=False, comment="the licence's id in the registry"),
    Column("clause", String(64), nullable=False, comment="the clause's id in the licence"),
    Column("licensee", String(64), nullable=False, comment="the entity that is tested"),
    Column("product", String(140), nullable=False, comment="affiliate/product; empty where the clause asks about no single one"),
    Column("reading", String(64), nullable=False, comment="name of the reading"),
    Column("month", Date, comment="first day of the month that was tested; null where none is"),
    Column("threshold", **number("users of the clause; null for a clause without")),
    Column("comparator", String(20), comment="gt: only more is over; gte: the threshold itself is; else as the registry has it"),
    Column("result", String(12), comment="as in licence_tests; null once it isn't tested any more"),
    Column("without_grants", String(12), comment="the test's own result, where a grant or an exemption stands in its place"),
    Column("of_record", sa.Boolean(name="of_record"), nullable=False, comment="whether this is the reading of record"),
    Column("complete", sa.Boolean(name="complete"), nullable=False, comment="whether all that was due is there and settled"),
    Column("estimate", **number("users under this reading")),
    Column("lower", **number("95 % lower bound, users")),
    Column("upper", **number("95 % upper bound, users")),
    Column("settled_by", sa.Text, nullable=False, comment="one a line: what would settle it; empty where it is settled"),
    Column("settling", sa.Text, comment="JSON: how far it is from a result, and the causes that would turn it"),
    Column("why", sa.Text, nullable=False, comment="one a line: grants, exemptions, what the bounds stand for"),
    Column("by_month", sa.Text, nullable=False, comment="JSON: result by month, of a clause that is tested month by month"),
    Column("known_at", Utc, nullable=False, comment="since when it stands"),
    sa.Index(None, "licence", "clause", "licensee", "product", "reading", "id"),
)

month_changes = new_table(
    "month_changes",
    "Why a published month's figure differs from the month's before; each kept",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("publication", BIG, ForeignKey("publications.id"), nullable=False, comment="the month's publication"),
    Column("before", BIG, ForeignKey("publications.id"), comment="that of the month before; null where there is none"),
    Column(
        "kind", String(10), nullable=False, comment="growth, joined, left, definition, grain, stand_in, crosswalk, method, ..."
    ),
    Column("subject", String(140), nullable=False, comment="an affiliate, or affiliate/product; empty for the whole group"),
    Column("people", **number("users of the subject by itself; null where that isn't known")),
    Column("what", sa.Text, nullable=False, comment="the cause in words"),
    Column("known_at", Utc, nullable=False, comment="when it was noted"),
    sa.Index(None, "publication", "before"),
)

range_parts = new_table(
    "range_parts",
    "How wide a published figure's range is by each cause; the parts add up to upper less lower",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("publication", BIG, ForeignKey("publications.id"), nullable=False, comment="the publication"),
    Column("scope", String(9), nullable=False, comment="group, affiliate or product"),
    Column("subject", String(140), nullable=False, comment="as in figures"),
    Column("kind", String(8), nullable=False, comment="identity, stand_in, gap, sketches or edges"),
    Column("people", **number("users; null for a gap, of which nobody knows how many it hides")),
    Column("what", sa.Text, nullable=False, comment="the cause in words"),
    sa.Index(None, "publication"),
)

unique_additions = new_table(
    "unique_additions",
    "Whom a product alone brings beside all others in a month; each kept",
    Column("inputs", String(64), primary_key=True, comment="of the publication: SHA-256 of all that its figures rest on"),
    Column("product", String(140), primary_key=True, comment="affiliate/product"),
    Column("state", String(14), nullable=False, comment="measured, not_measurable or not_measured"),
    Column("estimate", **number("users whom nobody else has; null where that isn't measured")),
    Column("lower", **number("95 % lower bound, users")),
    Column("upper", **number("95 % upper bound, users")),
    Column("what", sa.Text, nullable=False, comment="why it isn't measured, or what the number doesn't cover"),
)

product_overlaps = new_table(
    "product_overlaps",
    "Whom two products have in common in a month; each kept",
    Column("inputs", String(64), primary_key=True, comment="of the publication: SHA-256 of all that its figures rest on"),
    Column("first", String(140), primary_key=True, comment="affiliate/product"),
    Column("second", String(140), primary_key=True, comment="affiliate/product"),
    Column("state", String(14), nullable=False, comment="measured, not_measurable or not_measured"),
    Column("estimate", **number("users in both; null where that isn't measured")),
    Column("lower", **number("95 % lower bound, users")),
    Column("upper", **number("95 % upper bound, users")),
    Column("share_of_first", Float, comment="the share of the first's users who are in both"),
    Column("share_of_second", Float, comment="the same of the second's"),
    Column("what", sa.Text, nullable=False, comment="why it isn't measured, or what the number doesn't cover"),
)

runs = new_table(
    "runs",
    "When a run has looked at everything, also where nothing was new; each kept",
    Column("id", BIG, primary_key=True, comment="grows with time"),
    Column("at", Utc, nullable=False, unique=True, comment="the run's moment"),
    Column("kind", String(9), nullable=False, comment="whole, range, quiet, unchanged or watch"),
    Column("result", String(8), nullable=False, comment="clean, findings or failed"),
    Column("findings", Integer, nullable=False, comment="how many findings and refusals the run told of"),
    Column("published", Integer, nullable=False, comment="how many months the run published"),
    Column("program", String(64), nullable=False, comment="version of mauwatch that has run"),
)

TABLES = (
    outlooks,
    outlook_months,
    clause_results,
    month_changes,
    range_parts,
    unique_additions,
    product_overlaps,
    runs,
)
