"""the first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "column_comments",
        sa.Column("table_name", sa.String(length=64), nullable=False, comment="table"),
        sa.Column("column_name", sa.String(length=64), nullable=False, comment="column; empty for the table itself"),
        sa.Column("comment", sa.String(length=500), nullable=False, comment="what it means"),
        sa.PrimaryKeyConstraint("table_name", "column_name", name=op.f("pk_column_comments")),
        comment="What each column means, since SQLite keeps no comments",
    )
    op.create_table(
        "contributions",
        sa.Column("id", BIG, nullable=False, comment="grows with time: the greatest of a period is the current one"),
        sa.Column("affiliate", sa.String(length=64), nullable=False, comment="the entity that offers the product"),
        sa.Column("product", sa.String(length=64), nullable=False, comment="the product"),
        sa.Column("grain", sa.String(length=5), nullable=False, comment="day or month"),
        sa.Column("activity_date", sa.Date(), nullable=False, comment="the day, or the month's first day"),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of registers and key columns: its identity"),
        sa.Column("key_epoch", sa.String(length=32), nullable=False, comment="of the group key"),
        sa.Column("key_fingerprint", sa.String(length=12), nullable=False, comment="of the key that its canary proved"),
        sa.Column("crosswalk_digest", sa.String(length=64), nullable=False, comment="of the month's crosswalk; empty for none"),
        sa.Column("normalisation", sa.String(length=32), nullable=False, comment="of identifiers, with its version"),
        sa.Column("unidentified_events", BIG, nullable=True, comment="events without a usable identifier; null if not known"),
        sa.Column("undecided_events", BIG, nullable=True, comment="events that a condition left undecided; null if not known"),
        sa.Column("definition", sa.String(length=80), nullable=False, comment="id/version of what the product calls active"),
        sa.Column(
            "definition_digest",
            sa.String(length=64),
            nullable=True,
            comment="of the settings that decide who counts; null if not known",
        ),
        sa.Column("day_zone", sa.String(length=64), nullable=False, comment="IANA zone of the day"),
        sa.Column("computed_at", MOMENT, nullable=False, comment="when the affiliate's query ran"),
        sa.Column("producer", sa.String(length=200), nullable=False, comment="engine and version"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when this store received it"),
        sa.Column("supersedes", BIG, nullable=True, comment="the version before it"),
        sa.Column("reason", sa.String(length=500), nullable=True, comment="why it was restated, once its month was closed"),
        sa.ForeignKeyConstraint(["supersedes"], ["contributions.id"], name=op.f("fk_contributions_supersedes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contributions")),
        comment="What an affiliate handed over for one product and period; each version kept",
    )
    op.create_index(op.f("ix_contributions_activity_date"), "contributions", ["activity_date"], unique=False)
    op.create_index(
        op.f("ix_contributions_affiliate_product_grain_activity_date_id"),
        "contributions",
        ["affiliate", "product", "grain", "activity_date", "id"],
        unique=False,
    )
    op.create_table(
        "counts",
        sa.Column("id", BIG, nullable=False, comment="grows with time: the greatest of a month is the current one"),
        sa.Column("affiliate", sa.String(length=64), nullable=False, comment="the entity that offers the product"),
        sa.Column("product", sa.String(length=64), nullable=False, comment="the product"),
        sa.Column("month", sa.Date(), nullable=False, comment="first day of the month"),
        sa.Column("kind", sa.String(length=7), nullable=False, comment="count or ceiling"),
        sa.Column("users", BIG, nullable=True, comment="the number; null withdraws the one before"),
        sa.Column("unit", sa.String(length=64), nullable=False, comment="what it counts; people for a count"),
        sa.Column("document", sa.String(length=500), nullable=False, comment="where it stands"),
        sa.Column("attested_by", sa.String(length=200), nullable=False, comment="who answers for it"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when this store received it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counts")),
        comment="Numbers given where there is no sketch: counts of a month, and ceilings",
    )
    op.create_index(
        op.f("ix_counts_month_affiliate_product_kind_id"), "counts", ["month", "affiliate", "product", "kind", "id"], unique=False
    )
    op.create_table(
        "figures",
        sa.Column("id", BIG, nullable=False, comment="grows with time: the greatest of a subject is the current one"),
        sa.Column("month", sa.Date(), nullable=False, comment="first day of the month"),
        sa.Column("reading", sa.String(length=64), nullable=False, comment="name of the reading"),
        sa.Column("scope", sa.String(length=9), nullable=False, comment="group, affiliate or product"),
        sa.Column("subject", sa.String(length=140), nullable=False, comment="the group, the affiliate, or affiliate/product"),
        sa.Column("estimate", BIG, nullable=True, comment="users; null if nothing was contributed"),
        sa.Column("lower", BIG, nullable=False, comment="95 % lower bound, users"),
        sa.Column("upper", BIG, nullable=True, comment="95 % upper bound, users; null if there is none"),
        sa.Column("standard_error", sa.Float(), nullable=False, comment="of the sketch alone, users"),
        sa.Column("identity_low", BIG, nullable=True, comment="users if all namespaces hold the same people"),
        sa.Column("identity_high", BIG, nullable=True, comment="users if no two namespaces share a person"),
        sa.Column("summed_products", BIG, nullable=True, comment="sum over products, without deduplication"),
        sa.Column("days_expected", BIG, nullable=False, comment="product-days due"),
        sa.Column("days_present", BIG, nullable=False, comment="product-days contributed"),
        sa.Column("months_expected", BIG, nullable=False, comment="product-months due"),
        sa.Column("months_present", BIG, nullable=False, comment="product-months contributed"),
        sa.Column("complete", sa.Boolean(name="complete"), nullable=False, comment="all that was due is there and settled"),
        sa.Column("state", sa.String(length=11), nullable=False, comment="preliminary, closed or restated"),
        sa.Column("lg_k", sa.Integer(), nullable=True, comment="lowest lg_k among the sketches; null without any"),
        sa.Column("unidentified_events", BIG, nullable=False, comment="events without a usable identifier, so not counted"),
        sa.Column("undecided_events", BIG, nullable=False, comment="events that a condition left undecided, taken for false"),
        sa.Column("reasons", sa.Text(), nullable=False, comment="one a line: what is missing or stands in; empty for nothing"),
        sa.Column("inputs", sa.String(length=64), nullable=False, comment="SHA-256 of all that the month's figures rest on"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when it was published"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figures")),
        comment="Published figures: different people in a calendar month; each version kept",
    )
    op.create_index(
        op.f("ix_figures_month_reading_scope_subject_id"), "figures", ["month", "reading", "scope", "subject", "id"], unique=False
    )
    op.create_table(
        "licence_tests",
        sa.Column("id", BIG, nullable=False, comment="grows with time: the greatest of a test is the current one"),
        sa.Column("licence", sa.String(length=64), nullable=False, comment="the licence's id in the registry"),
        sa.Column("licensee", sa.String(length=64), nullable=False, comment="the entity that is tested, with its affiliates"),
        sa.Column("reading", sa.String(length=64), nullable=False, comment="name of the reading"),
        sa.Column("released", sa.Date(), nullable=False, comment="the version's release date"),
        sa.Column("measured_month", sa.Date(), nullable=False, comment="first day of the month that the clause tests"),
        sa.Column("threshold", BIG, nullable=False, comment="users that must not be exceeded"),
        sa.Column(
            "result", sa.String(length=12), nullable=False, comment="under, over, undetermined, not_measured, granted or exempt"
        ),
        sa.Column("estimate", BIG, nullable=True, comment="users under this reading"),
        sa.Column("lower", BIG, nullable=True, comment="95 % lower bound, users"),
        sa.Column("upper", BIG, nullable=True, comment="95 % upper bound, users"),
        sa.Column("of_record", sa.Boolean(name="of_record"), nullable=False, comment="whether this is the reading of record"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when it was tested"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_licence_tests")),
        comment="Results of licence tests, by version, licensee and reading; each version kept",
    )
    op.create_index(
        op.f("ix_licence_tests_licence_licensee_reading_id"),
        "licence_tests",
        ["licence", "licensee", "reading", "id"],
        unique=False,
    )
    op.create_table(
        "sketches",
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the registers"),
        sa.Column("lg_k", sa.Integer(), nullable=False, comment="log2 of the number of registers"),
        sa.Column(
            "image", sa.LargeBinary(), nullable=True, comment="DataSketches image, zstd where that is shorter; null once erased"
        ),
        sa.Column("erased_at", MOMENT, nullable=True, comment="when the image was erased"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sketches")),
        comment="HLL sketches, each kept once",
    )
    op.create_table(
        "confirmations",
        sa.Column("contribution_id", BIG, nullable=False, comment="the contribution"),
        sa.Column("computed_at", MOMENT, nullable=False, comment="when the affiliate's query ran again"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when this store received it"),
        sa.ForeignKeyConstraint(["contribution_id"], ["contributions.id"], name=op.f("fk_confirmations_contribution_id")),
        sa.PrimaryKeyConstraint("contribution_id", "computed_at", name=op.f("pk_confirmations")),
        comment="A contribution computed again after it settled, with the same result",
    )
    op.create_table(
        "parts",
        sa.Column("contribution_id", BIG, nullable=False, comment="the contribution"),
        sa.Column("audience", sa.String(length=9), nullable=False, comment="external, internal or automated"),
        sa.Column("namespace", sa.String(length=32), nullable=False, comment="of the identifiers"),
        sa.Column("sketch", sa.String(length=64), nullable=False, comment="digest of its registers"),
        sa.Column("events", BIG, nullable=True, comment="events of these users; null if not known"),
        sa.Column("distinct_users", BIG, nullable=True, comment="exact number of distinct keys, if known"),
        sa.ForeignKeyConstraint(["contribution_id"], ["contributions.id"], name=op.f("fk_parts_contribution_id")),
        sa.ForeignKeyConstraint(["sketch"], ["sketches.digest"], name=op.f("fk_parts_sketch")),
        sa.PrimaryKeyConstraint("contribution_id", "audience", "namespace", name=op.f("pk_parts")),
        comment="The sketches of a contribution, by audience and namespace",
    )
