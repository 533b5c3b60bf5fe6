"""Files that messages carry; who deleted a message; who was sent out of a room."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0051_attachments"
down_revision = "0050_problems"
branch_labels = None
depends_on = None

UUID = pg.UUID(as_uuid=True)
NOW = sa.func.clock_timestamp()


def upgrade() -> None:
    """Create the table, and let messages and members say who ended them."""
    op.add_column("messages", sa.Column("deleted_by", UUID))
    op.add_column("room_members", sa.Column("sent_out_by", UUID))
    op.create_table(
        "attachments",
        sa.Column("client_id", UUID, primary_key=True),
        sa.Column("id", UUID, primary_key=True),
        sa.Column("room_id", UUID),
        sa.Column("message_id", UUID),
        sa.Column("uploaded_by", UUID, nullable=False),
        sa.Column("upload_id", UUID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("mime", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["chat_rooms.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="SET NULL"),
    )
    op.create_index("ix_attachments_message_id", "attachments", ["message_id"])
    op.create_index("ix_attachments_room_id", "attachments", ["room_id"])
    op.create_index("ix_attachments_client_id_size", "attachments", ["client_id", "size"])
    op.create_index(
        "ix_attachments_unbound", "attachments", ["created_at"], postgresql_where=sa.text("message_id IS NULL")
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("attachments")
    op.drop_column("room_members", "sent_out_by")
    op.drop_column("messages", "deleted_by")
