"""Client applications, their users and the keys of both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0035_clients"
down_revision = "0034_cluster_inventory"
branch_labels = None
depends_on = None

FOLDED = ("username", "email")


def upgrade() -> None:
    """Create the tables, and let users belong to an application."""
    op.create_table(
        "clients",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("contact_email", sa.Text),
        sa.Column("plan", sa.Text, server_default="standard", nullable=False),
        sa.Column("settings", pg.JSONB, server_default=sa.text("'{}'"), nullable=False),
        *_written(),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("plan IN ('free', 'standard', 'pro', 'enterprise')", name=op.f("ck_clients_plan")),
    )
    op.create_index(
        "uq_clients_name_lower",
        "clients",
        [sa.text("lower(name)")],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_clients_deleted_at", "clients", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )
    _let_users_belong()
    _make_keys()
    # Users go by the thousand with their application: what points at them has to be found.
    op.create_index("ix_account_mails_user_id", "account_mails", ["user_id"])
    op.create_index("ix_mfa_challenges_user_id", "mfa_challenges", ["user_id"])


def _let_users_belong() -> None:
    op.add_column("users", sa.Column("client_id", pg.UUID(as_uuid=True)))
    op.add_column("users", sa.Column("client_permissions", pg.ARRAY(sa.Text)))
    op.create_foreign_key("fk_users_client_id_clients", "users", "clients", ["client_id"], ["id"], ondelete="CASCADE")
    op.create_check_constraint(
        op.f("ck_users_client_permissions"), "users", "(client_id IS NULL) = (client_permissions IS NULL)"
    )
    op.create_check_constraint(
        op.f("ck_users_client"), "users", "client_id IS NULL OR (password_hash IS NULL AND role = 'user')"
    )
    for column in FOLDED:
        folded = sa.text(f"lower({column})")
        op.drop_index(f"uq_users_{column}_lower", "users")
        op.create_index(
            f"uq_users_{column}_lower", "users", [folded], unique=True, postgresql_where=sa.text("client_id IS NULL")
        )
        op.create_index(
            f"uq_users_client_{column}_lower",
            "users",
            ["client_id", folded],
            unique=True,
            postgresql_where=sa.text("client_id IS NOT NULL"),
        )
    op.create_index("ix_users_client_id_created_at", "users", ["client_id", "created_at", "id"])


def _make_keys() -> None:
    op.create_table(
        "client_keys",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("client_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("user_id", pg.UUID(as_uuid=True)),
        sa.Column("public_part", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_ip", sa.Text),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        *_written(),
        sa.UniqueConstraint("public_part"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "uq_client_keys_working",
        "client_keys",
        [sa.text("coalesce(user_id, client_id)")],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index("ix_client_keys_client_id", "client_keys", ["client_id"])
    op.create_index("ix_client_keys_user_id", "client_keys", ["user_id"])
    op.create_index(
        "ix_client_keys_revoked_at", "client_keys", ["revoked_at"], postgresql_where=sa.text("revoked_at IS NOT NULL")
    )


def downgrade() -> None:
    """Delete the users of applications, and drop what was made."""
    op.drop_index("ix_mfa_challenges_user_id", "mfa_challenges")
    op.drop_index("ix_account_mails_user_id", "account_mails")
    op.drop_table("client_keys")
    op.execute("DELETE FROM users WHERE client_id IS NOT NULL")
    op.drop_index("ix_users_client_id_created_at", "users")
    for column in FOLDED:
        op.drop_index(f"uq_users_client_{column}_lower", "users")
        op.drop_index(f"uq_users_{column}_lower", "users")
        op.create_index(f"uq_users_{column}_lower", "users", [sa.text(f"lower({column})")], unique=True)
    op.drop_constraint(op.f("ck_users_client"), "users")
    op.drop_constraint(op.f("ck_users_client_permissions"), "users")
    op.drop_column("users", "client_permissions")
    op.drop_column("users", "client_id")
    op.drop_table("clients")


def _written() -> tuple[sa.Column[object], sa.Column[object]]:
    now = sa.func.clock_timestamp()
    return (
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
    )
