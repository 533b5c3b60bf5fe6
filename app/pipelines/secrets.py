"""Secrets of a workspace: written by clients, read by workers alone. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kernel.crypto import Vault
from app.kernel.errors import AlreadyExists, NotFound
from app.kernel.ids import new_id
from app.pipelines.models.secret import WorkspaceSecret, vault_context
from app.tenancy import Workspace


def create_secret(
    session: Session, vault: Vault, workspace: Workspace, name: str, value: str, created_by: UUID
) -> WorkspaceSecret:
    """Write a secret; raises AlreadyExists for a name the workspace has."""
    secret = WorkspaceSecret(
        id=new_id(),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        name=name,
        created_by=created_by,
    )
    secret.value = _seal(vault, secret, value)
    session.add(secret)
    try:
        session.flush()
    except IntegrityError:
        raise AlreadyExists(f"This workspace has a secret named {name} already.") from None
    session.refresh(secret, ["created_at", "updated_at"])
    return secret


def find_secret(session: Session, workspace_id: UUID, name: str, *, for_update: bool = False) -> WorkspaceSecret:
    """Return a secret without its value; raises NotFound."""
    named = select(WorkspaceSecret).where(WorkspaceSecret.workspace_id == workspace_id, WorkspaceSecret.name == name)
    secret = session.execute(named.with_for_update() if for_update else named).scalar_one_or_none()
    if secret is None:
        raise NotFound(resource_type="secret", resource_id=name)
    return secret


def replace_value(session: Session, vault: Vault, secret: WorkspaceSecret, value: str) -> WorkspaceSecret:
    """Replace the value; steps that run keep the one they were given."""
    secret.value = _seal(vault, secret, value)
    secret.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(secret, ["updated_at"])
    return secret


def delete_secret(session: Session, secret: WorkspaceSecret) -> None:
    """Delete a secret; steps that name it fail from now on."""
    session.delete(secret)
    session.flush()


def reveal_secrets(session: Session, vault: Vault, workspace_id: UUID, names: Collection[str]) -> dict[str, str]:
    """Return the values of those of `names` that the workspace has; raises Undecryptable."""
    stored = select(WorkspaceSecret.id, WorkspaceSecret.name, WorkspaceSecret.value).where(
        WorkspaceSecret.workspace_id == workspace_id, WorkspaceSecret.name.in_(names)
    )
    return {
        row.name: vault.decrypt(row.value, vault_context(workspace_id, row.id, row.name)).decode()
        for row in session.execute(stored)
    }


def _seal(vault: Vault, secret: WorkspaceSecret, value: str) -> bytes:
    return vault.encrypt(value.encode(), vault_context(secret.workspace_id, secret.id, secret.name))
