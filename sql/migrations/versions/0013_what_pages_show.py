"""what pages show beside the figures: outlooks, results of clauses, changes, widths of ranges, overlaps, runs"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "clause_results",
        sa.Column("id", BIG, nullable=False, comment="grows with time: the greatest of a test is the current one"),
        sa.Column("licence", sa.String(length=64), nullable=False, comment="the licence's id in the registry"),
        sa.Column("clause", sa.String(length=64), nullable=False, comment="the clause's id in the licence"),
        sa.Column("licensee", sa.String(length=64), nullable=False, comment="the entity that is tested"),
        sa.Column(
            "product",
            sa.String(length=140),
            nullable=False,
            comment="affiliate/product; empty where the clause asks about no single one",
        ),
        sa.Column("reading", sa.String(length=64), nullable=False, comment="name of the reading"),
        sa.Column("month", sa.Date(), nullable=True, comment="first day of the month that was tested; null where none is"),
        sa.Column("threshold", BIG, nullable=True, comment="users of the clause; null for a clause without"),
        sa.Column(
            "comparator",
            sa.String(length=20),
            nullable=True,
            comment="gt: only more is over; gte: the threshold itself is; else as the registry has it",
        ),
        sa.Column(
            "result", sa.String(length=12), nullable=True, comment="as in licence_tests; null once it isn't tested any more"
        ),
        sa.Column(
            "without_grants",
            sa.String(length=12),
            nullable=True,
            comment="the test's own result, where a grant or an exemption stands in its place",
        ),
        sa.Column("of_record", sa.Boolean(), nullable=False, comment="whether this is the reading of record"),
        sa.Column("complete", sa.Boolean(), nullable=False, comment="whether all that was due is there and settled"),
        sa.Column("estimate", BIG, nullable=True, comment="users under this reading"),
        sa.Column("lower", BIG, nullable=True, comment="95 % lower bound, users"),
        sa.Column("upper", BIG, nullable=True, comment="95 % upper bound, users"),
        sa.Column("settled_by", sa.Text(), nullable=False, comment="one a line: what would settle it; empty where it is settled"),
        sa.Column(
            "settling", sa.Text(), nullable=True, comment="JSON: how far it is from a result, and the causes that would turn it"
        ),
        sa.Column("why", sa.Text(), nullable=False, comment="one a line: grants, exemptions, what the bounds stand for"),
        sa.Column(
            "by_month", sa.Text(), nullable=False, comment="JSON: result by month, of a clause that is tested month by month"
        ),
        sa.Column("known_at", MOMENT, nullable=False, comment="since when it stands"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clause_results")),
        comment="Results of every clause by licensee, product and reading, and what would settle them; each kept, no evidence",
    )
    op.create_index(
        op.f("ix_clause_results_licence_clause_licensee_product_reading_id"),
        "clause_results",
        ["licence", "clause", "licensee", "product", "reading", "id"],
        unique=False,
    )
    op.create_table(
        "outlooks",
        sa.Column("id", BIG, nullable=False, comment="grows with time: the greatest of a question is the current one"),
        sa.Column("month", sa.Date(), nullable=False, comment="first day of the last month that the outlook rests on"),
        sa.Column("reading", sa.String(length=64), nullable=False, comment="name of the reading"),
        sa.Column(
            "subject",
            sa.String(length=140),
            nullable=False,
            comment="an affiliate, or affiliate/product; empty for the whole group",
        ),
        sa.Column("threshold", BIG, nullable=False, comment="users that must not be exceeded"),
        sa.Column(
            "basis", sa.String(length=64), nullable=False, comment="SHA-256 of all that it rests on: months, code, lead times"
        ),
        sa.Column("estimate", BIG, nullable=False, comment="users in that month"),
        sa.Column("lower", BIG, nullable=True, comment="95 % lower bound, users"),
        sa.Column("upper", BIG, nullable=True, comment="95 % upper bound, users"),
        sa.Column("over_now", sa.Float(), nullable=False, comment="probability that the month itself is over, by its range"),
        sa.Column("within_quarter", sa.Float(), nullable=False, comment="probability of a month over within three, by the range"),
        sa.Column("within_year", sa.Float(), nullable=False, comment="the same within twelve months"),
        sa.Column(
            "not_within", sa.Float(), nullable=False, comment="probability that no month of the horizon is over, by the range"
        ),
        sa.Column("not_within_by_estimate", sa.Float(), nullable=False, comment="the same as if the estimate were the truth"),
        sa.Column(
            "crossing",
            sa.Date(),
            nullable=True,
            comment="first day of the month by which it is passed with even odds, by the range; null for none",
        ),
        sa.Column(
            "decisions", sa.Text(), nullable=False, comment="JSON: by doubt and probability, crossing and days to decide by"
        ),
        sa.Column("notes", sa.Text(), nullable=False, comment="one a line: what a reader has to know, and the basis in words"),
        sa.Column("left_out", sa.Text(), nullable=False, comment="one a line: months that are no evidence, and why"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when it was published"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outlooks")),
        comment="What was expected of a threshold after a published month; each kept, and no evidence",
    )
    op.create_index(
        op.f("ix_outlooks_month_reading_subject_threshold_id"),
        "outlooks",
        ["month", "reading", "subject", "threshold", "id"],
        unique=False,
    )
    op.create_table(
        "product_overlaps",
        sa.Column(
            "inputs", sa.String(length=64), nullable=False, comment="of the publication: SHA-256 of all that its figures rest on"
        ),
        sa.Column("first", sa.String(length=140), nullable=False, comment="affiliate/product"),
        sa.Column("second", sa.String(length=140), nullable=False, comment="affiliate/product"),
        sa.Column("state", sa.String(length=14), nullable=False, comment="measured, not_measurable or not_measured"),
        sa.Column("estimate", BIG, nullable=True, comment="users in both; null where that isn't measured"),
        sa.Column("lower", BIG, nullable=True, comment="95 % lower bound, users"),
        sa.Column("upper", BIG, nullable=True, comment="95 % upper bound, users"),
        sa.Column("share_of_first", sa.Float(), nullable=True, comment="the share of the first's users who are in both"),
        sa.Column("share_of_second", sa.Float(), nullable=True, comment="the same of the second's"),
        sa.Column("what", sa.Text(), nullable=False, comment="why it isn't measured, or what the number doesn't cover"),
        sa.PrimaryKeyConstraint("inputs", "first", "second", name=op.f("pk_product_overlaps")),
        comment="Whom two products have in common in a month; each kept",
    )
    op.create_table(
        "runs",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("at", MOMENT, nullable=False, comment="the run's moment"),
        sa.Column("kind", sa.String(length=9), nullable=False, comment="whole, range, quiet, unchanged or watch"),
        sa.Column("result", sa.String(length=8), nullable=False, comment="clean, findings or failed"),
        sa.Column("findings", sa.Integer(), nullable=False, comment="how many findings and refusals the run told of"),
        sa.Column("published", sa.Integer(), nullable=False, comment="how many months the run published"),
        sa.Column("program", sa.String(length=64), nullable=False, comment="version of mauwatch that has run"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("at", name=op.f("uq_runs_at")),
        comment="When a run has looked at everything, also where nothing was new; each kept",
    )
    op.create_table(
        "unique_additions",
        sa.Column(
            "inputs", sa.String(length=64), nullable=False, comment="of the publication: SHA-256 of all that its figures rest on"
        ),
        sa.Column("product", sa.String(length=140), nullable=False, comment="affiliate/product"),
        sa.Column("state", sa.String(length=14), nullable=False, comment="measured, not_measurable or not_measured"),
        sa.Column("estimate", BIG, nullable=True, comment="users whom nobody else has; null where that isn't measured"),
        sa.Column("lower", BIG, nullable=True, comment="95 % lower bound, users"),
        sa.Column("upper", BIG, nullable=True, comment="95 % upper bound, users"),
        sa.Column("what", sa.Text(), nullable=False, comment="why it isn't measured, or what the number doesn't cover"),
        sa.PrimaryKeyConstraint("inputs", "product", name=op.f("pk_unique_additions")),
        comment="Whom a product alone brings beside all others in a month; each kept",
    )
    op.create_table(
        "month_changes",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("publication", BIG, nullable=False, comment="the month's publication"),
        sa.Column("before", BIG, nullable=True, comment="that of the month before; null where there is none"),
        sa.Column(
            "kind",
            sa.String(length=10),
            nullable=False,
            comment="growth, joined, left, definition, grain, stand_in, crosswalk, method, ...",
        ),
        sa.Column(
            "subject",
            sa.String(length=140),
            nullable=False,
            comment="an affiliate, or affiliate/product; empty for the whole group",
        ),
        sa.Column("people", BIG, nullable=True, comment="users of the subject by itself; null where that isn't known"),
        sa.Column("what", sa.Text(), nullable=False, comment="the cause in words"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when it was noted"),
        sa.ForeignKeyConstraint(["before"], ["publications.id"], name=op.f("fk_month_changes_before")),
        sa.ForeignKeyConstraint(["publication"], ["publications.id"], name=op.f("fk_month_changes_publication")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_month_changes")),
        comment="Why a published month's figure differs from the month's before; each kept",
    )
    op.create_index(op.f("ix_month_changes_publication_before"), "month_changes", ["publication", "before"], unique=False)
    op.create_table(
        "outlook_months",
        sa.Column("outlook", BIG, nullable=False, comment="the outlook"),
        sa.Column("month", sa.Date(), nullable=False, comment="first day of the month: the outlook's own, or one to come"),
        sa.Column("p2_5", sa.Float(), nullable=False, comment="2.5 % of paths lie below, users, by the range"),
        sa.Column("p10", sa.Float(), nullable=False, comment="10 % of paths lie below, users, by the range"),
        sa.Column("p50", sa.Float(), nullable=False, comment="50 % of paths lie below, users, by the range"),
        sa.Column("p90", sa.Float(), nullable=False, comment="90 % of paths lie below, users, by the range"),
        sa.Column("p97_5", sa.Float(), nullable=False, comment="97.5 % of paths lie below, users, by the range"),
        sa.Column("p2_5_by_estimate", sa.Float(), nullable=False, comment="2.5 % of paths lie below, users, by the estimate"),
        sa.Column("p10_by_estimate", sa.Float(), nullable=False, comment="10 % of paths lie below, users, by the estimate"),
        sa.Column("p50_by_estimate", sa.Float(), nullable=False, comment="50 % of paths lie below, users, by the estimate"),
        sa.Column("p90_by_estimate", sa.Float(), nullable=False, comment="90 % of paths lie below, users, by the estimate"),
        sa.Column("p97_5_by_estimate", sa.Float(), nullable=False, comment="97.5 % of paths lie below, users, by the estimate"),
        sa.Column("over", sa.Float(), nullable=False, comment="probability of being over in this month, by the range"),
        sa.Column("over_by_estimate", sa.Float(), nullable=False, comment="the same by the estimate"),
        sa.Column(
            "crossed",
            sa.Float(),
            nullable=False,
            comment="probability that this month to come, or one before it, is over, by the range",
        ),
        sa.Column("crossed_by_estimate", sa.Float(), nullable=False, comment="the same by the estimate"),
        sa.ForeignKeyConstraint(["outlook"], ["outlooks.id"], name=op.f("fk_outlook_months_outlook")),
        sa.PrimaryKeyConstraint("outlook", "month", name=op.f("pk_outlook_months")),
        comment="An outlook's own month and those to come; by the range: with its bounds' doubt; by the estimate: growth's alone",
    )
    op.create_table(
        "range_parts",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("publication", BIG, nullable=False, comment="the publication"),
        sa.Column("scope", sa.String(length=9), nullable=False, comment="group, affiliate or product"),
        sa.Column("subject", sa.String(length=140), nullable=False, comment="as in figures"),
        sa.Column("kind", sa.String(length=8), nullable=False, comment="identity, stand_in, gap, sketches or edges"),
        sa.Column("people", BIG, nullable=True, comment="users; null for a gap, of which nobody knows how many it hides"),
        sa.Column("what", sa.Text(), nullable=False, comment="the cause in words"),
        sa.ForeignKeyConstraint(["publication"], ["publications.id"], name=op.f("fk_range_parts_publication")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_range_parts")),
        comment="How wide a published figure's range is by each cause; the parts add up to upper less lower",
    )
    op.create_index(op.f("ix_range_parts_publication"), "range_parts", ["publication"], unique=False)
