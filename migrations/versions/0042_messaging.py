"""Chat rooms of client applications, their members and messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0042_messaging"
down_revision = "0041_metrics"
branch_labels = None
depends_on = None

UUID = pg.UUID(as_uuid=True)
NOW = sa.func.clock_timestamp()
EMPTY = sa.text("'{}'")
TYPES = "('text', 'image', 'file', 'video', 'audio', 'document', 'system', 'custom')"


def upgrade() -> None:
    """Create the tables, and let applications say how long messages are kept."""
    op.add_column("clients", sa.Column("message_retention_days", sa.Integer))
    _make_rooms()
    _make_members()
    _make_messages()
    _make_changes()


def _make_rooms() -> None:
    op.create_table(
        "chat_rooms",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("client_id", UUID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("room_type", sa.Text, server_default="group", nullable=False),
        sa.Column("max_members", sa.Integer, server_default="100", nullable=False),
        sa.Column("meta", pg.JSONB, server_default=EMPTY, nullable=False),
        sa.Column("created_by", UUID),
        _moment("created_at"),
        _moment("updated_at"),
        sa.CheckConstraint(
            "room_type IN ('direct', 'group', 'channel', 'support')", name=op.f("ck_chat_rooms_room_type")
        ),
        sa.CheckConstraint("max_members BETWEEN 2 AND 10000", name=op.f("ck_chat_rooms_max_members")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_chat_rooms_client_id_created_at", "chat_rooms", ["client_id", "created_at", "id"])
    op.create_table(
        "room_states",
        sa.Column("room_id", UUID, primary_key=True),
        sa.Column("client_id", UUID, nullable=False),
        sa.Column("is_active", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("deactivated_at", sa.DateTime(timezone=True)),
        sa.Column("deactivated_reason", sa.Text),
        sa.Column("last_seq", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("last_place", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True)),
        _moment("quiet_since"),
        sa.CheckConstraint("is_active = (deactivated_at IS NULL)", name=op.f("ck_room_states_is_active")),
        sa.ForeignKeyConstraint(["room_id"], ["chat_rooms.id"], ondelete="CASCADE"),
        postgresql_with={"fillfactor": "70"},
    )


def _make_members() -> None:
    op.create_table(
        "room_members",
        sa.Column("room_id", UUID, primary_key=True),
        sa.Column("user_id", UUID, primary_key=True),
        sa.Column("client_id", UUID, nullable=False),
        sa.Column("role", sa.Text, server_default="member", nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("meta", pg.JSONB, server_default=EMPTY, nullable=False),
        _moment("joined_at"),
        sa.Column("left_at", sa.DateTime(timezone=True)),
        sa.Column("last_read_seq", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("last_read_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member')", name=op.f("ck_room_members_role")),
        sa.ForeignKeyConstraint(["room_id"], ["chat_rooms.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_room_members_user_id", "room_members", ["user_id", "room_id"])


def _make_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("client_id", UUID, nullable=False),
        sa.Column("room_id", UUID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("first_place", sa.BigInteger, nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("sender_id", UUID),
        sa.Column("sender_name", sa.Text, nullable=False),
        sa.Column("message_type", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("meta", pg.JSONB, nullable=False),
        sa.Column("reply_to_id", UUID),
        sa.Column("thread_id", UUID),
        sa.Column("mentions", pg.ARRAY(UUID), server_default=EMPTY, nullable=False),
        sa.Column("client_message_id", sa.Text),
        _moment("created_at"),
        sa.Column("edited_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(f"message_type IN {TYPES}", name=op.f("ck_messages_message_type")),
        sa.UniqueConstraint("room_id", "seq"),
        sa.UniqueConstraint("room_id", "first_place"),
        sa.ForeignKeyConstraint(["room_id"], ["chat_rooms.id"], ondelete="CASCADE"),
    )
    _index_messages()


def _index_messages() -> None:
    op.create_index(
        "uq_messages_client_message_id",
        "messages",
        ["room_id", sa.text("coalesce(sender_id, client_id)"), "client_message_id"],
        unique=True,
        postgresql_where=sa.text("client_message_id IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_thread_id_seq",
        "messages",
        ["thread_id", "seq"],
        postgresql_where=sa.text("thread_id IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_words",
        "messages",
        [sa.text("to_tsvector('simple'::regconfig, content)")],
        postgresql_using="gin",
    )
    op.create_index("ix_messages_client_id_created_at", "messages", ["client_id", "created_at"])


def _make_changes() -> None:
    op.create_table(
        "room_changes",
        sa.Column("room_id", UUID, primary_key=True),
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("client_id", UUID, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("message_id", UUID),
        sa.Column("data", pg.JSONB, nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["room_id"], ["chat_rooms.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_room_changes_client_id_created_at", "room_changes", ["client_id", "created_at"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("room_changes", "messages", "room_members", "room_states", "chat_rooms"):
        op.drop_table(table)
    op.drop_column("clients", "message_retention_days")


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False)
