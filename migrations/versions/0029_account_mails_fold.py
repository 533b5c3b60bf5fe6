"""Count the mails of an address whatever its case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029_account_mails_fold"
down_revision = "0028_followers"
branch_labels = None
depends_on = None

NAME = "ix_account_mails_address_created_at"


def upgrade() -> None:
    """Index the folded address instead."""
    op.drop_index(NAME, "account_mails")
    op.create_index(NAME, "account_mails", [sa.text("lower(address)"), "created_at"])


def downgrade() -> None:
    """Index the address as it is written."""
    op.drop_index(NAME, "account_mails")
    op.create_index(NAME, "account_mails", ["address", "created_at"])
