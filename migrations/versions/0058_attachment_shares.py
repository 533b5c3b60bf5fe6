"""How much one user has brought of an application's files."""

from __future__ import annotations

from alembic import op

revision = "0058_attachment_shares"
down_revision = "0057_alert_rooms"
branch_labels = None
depends_on = None

TABLE = "attachments"


def upgrade() -> None:
    """Index files by who has brought them; the sum of an application's is read from the same index."""
    op.create_index("ix_attachments_kept", TABLE, ["client_id", "uploaded_by", "size"])
    op.drop_index("ix_attachments_client_id_size", TABLE)


def downgrade() -> None:
    """Index them by application alone."""
    op.create_index("ix_attachments_client_id_size", TABLE, ["client_id", "size"])
    op.drop_index("ix_attachments_kept", TABLE)
