"""Take a delivered body once, whichever kind of host it is said to come from."""

from __future__ import annotations

from alembic import op

revision = "0030_deliveries_once"
down_revision = "0029_account_mails_fold"
branch_labels = None
depends_on = None

NAME = "uq_webhook_deliveries_body"
TABLE = "webhook_deliveries"
KEEP_FIRST = (
    "DELETE FROM webhook_deliveries AS later USING webhook_deliveries AS first"
    " WHERE later.workspace_id = first.workspace_id AND later.body_sha256 = first.body_sha256"
    " AND (later.created_at, later.id) > (first.created_at, first.id)"
)


def upgrade() -> None:
    """Forget what was taken twice, and let it not happen again."""
    op.execute(KEEP_FIRST)
    op.drop_constraint(NAME, TABLE)
    op.create_unique_constraint(NAME, TABLE, ["workspace_id", "body_sha256"])


def downgrade() -> None:
    """Let each kind of host have its own."""
    op.drop_constraint(NAME, TABLE)
    op.create_unique_constraint(NAME, TABLE, ["workspace_id", "provider", "body_sha256"])
