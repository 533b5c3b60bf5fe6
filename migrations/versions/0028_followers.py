"""An index of the pipelines that follow others, which each end of an execution asks for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028_followers"
down_revision = "0027_pipeline_settings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    follows = sa.text("""definition -> 'triggers' @> '[{"trigger_type": "pipeline"}]'::jsonb""")
    op.create_index("ix_pipelines_followers", "pipelines", ["workspace_id"], postgresql_where=follows)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_pipelines_followers", "pipelines")
