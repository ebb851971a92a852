"""who was told: incidents, outbox, deliveries"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("opened", BIG, nullable=False, comment="its first transition since it was last over: its number"),
        sa.Column(
            "kind", sa.String(length=17), nullable=False, comment="threshold, missing_data, failed_run, definition_change or jump"
        ),
        sa.Column(
            "rule",
            sa.String(length=140),
            nullable=False,
            comment="whose threshold, as family/threshold; empty for alerts about data",
        ),
        sa.Column(
            "reading", sa.String(length=64), nullable=False, comment="the reading of record; empty where figures don't matter"
        ),
        sa.Column(
            "action",
            sa.String(length=12),
            nullable=False,
            comment="raised, lowered, cleared, found, ended, escalated, ... or looked",
        ),
        sa.Column(
            "level", sa.String(length=7), nullable=False, comment="none, watch, prepare, act, over; open for alerts about data"
        ),
        sa.Column("subjects", sa.Text(), nullable=False, comment="one a line: months, products, jobs; empty for thresholds"),
        sa.Column("as_of", sa.Date(), nullable=True, comment="last day of the newest period that was looked at"),
        sa.Column("estimate", BIG, nullable=True, comment="users in that period"),
        sa.Column("lower", BIG, nullable=True, comment="95 % lower bound, users"),
        sa.Column("upper", BIG, nullable=True, comment="95 % upper bound, users; null if there is none"),
        sa.Column("threshold", BIG, nullable=True, comment="users that must not be exceeded"),
        sa.Column(
            "within_year",
            sa.Float(),
            nullable=True,
            comment="probability that it is passed within twelve months; null without a forecast",
        ),
        sa.Column("within_quarter", sa.Float(), nullable=True, comment="the same within three months"),
        sa.Column("acknowledged_by", sa.String(length=200), nullable=True, comment="who has seen it; null once it is worse"),
        sa.Column("closed_by", sa.String(length=200), nullable=True, comment="who closed it"),
        sa.Column("reason_code", sa.String(length=20), nullable=True, comment="why it was closed"),
        sa.Column("matter", sa.String(length=64), nullable=True, comment="number of the matter under which it was closed"),
        sa.Column("note", sa.String(length=500), nullable=True, comment="what was said beside it"),
        sa.Column("memory", sa.Text(), nullable=False, comment="what the next look goes on from, in JSON"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when it happened"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        comment="What happened to alerts: each row is a transition, and the last one of an alert says how it is",
    )
    op.create_index(op.f("ix_incidents_kind_rule_reading_id"), "incidents", ["kind", "rule", "reading", "id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("key", sa.String(length=32), nullable=False, comment="the same whenever it is sent: a repeat is known by it"),
        sa.Column("transition", BIG, nullable=False, comment="what it tells of"),
        sa.Column("channel", sa.String(length=64), nullable=False, comment="name of the channel in alerts.yaml"),
        sa.Column("address", sa.Integer(), nullable=False, comment="which of the channel's addresses, from 0"),
        sa.Column("payload", sa.Text(), nullable=False, comment="title and text with figures and without, in JSON"),
        sa.Column("created_at", MOMENT, nullable=False, comment="when it was put here"),
        sa.ForeignKeyConstraint(["transition"], ["incidents.id"], name=op.f("fk_outbox_transition")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
        comment="Messages about alerts, put here with the figure that they are about; each kept",
    )
    op.create_table(
        "deliveries",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("message", BIG, nullable=False, comment="the message"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="from 1"),
        sa.Column(
            "outcome", sa.String(length=10), nullable=False, comment="sending, sent, failed or superseded, by a worse level"
        ),
        sa.Column("sender", sa.String(length=200), nullable=False, comment="host, process and its start: who is sending"),
        sa.Column("said", sa.String(length=200), nullable=True, comment="what kind of failure; never an address"),
        sa.Column("at", MOMENT, nullable=False, comment="when"),
        sa.Column("until", MOMENT, nullable=True, comment="of sending: when another may; of failed: when it is tried again"),
        sa.ForeignKeyConstraint(["message"], ["outbox.id"], name=op.f("fk_deliveries_message")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        comment="Attempts to send messages; each kept, and the last one of a message says how it is",
    )
    op.create_index(op.f("ix_deliveries_message_id"), "deliveries", ["message", "id"], unique=False)
