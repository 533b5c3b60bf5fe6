"""The plan of an organization."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018_organization_plan"
down_revision = "0017_mfa"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it."""
    op.add_column("organizations", sa.Column("plan", sa.Text, server_default="standard", nullable=False))
    op.create_check_constraint("plan", "organizations", "plan IN ('free', 'standard', 'pro', 'enterprise')")


def downgrade() -> None:
    """Drop it."""
    op.drop_column("organizations", "plan")
