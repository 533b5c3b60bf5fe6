"""The history's index over transactions is summarized as it grows: what is not is read whole at each fold."""

from __future__ import annotations

from typing import Any

from alembic import op

revision = "0015_summarize_changes"
down_revision = "0014_account_security"
branch_labels = None
depends_on = None

NAME, TABLE = "ix_job_changes_transaction_id", "job_changes"


def upgrade() -> None:
    """Make the index again, so that its parts and those to come are like it."""
    _make_again(postgresql_with={"autosummarize": "on"})


def downgrade() -> None:
    """Leave it to VACUUM."""
    _make_again()


def _make_again(**options: Any) -> None:
    op.drop_index(NAME, TABLE)
    op.create_index(NAME, TABLE, ["transaction_id"], postgresql_using="brin", **options)
