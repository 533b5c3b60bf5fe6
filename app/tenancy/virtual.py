"""Virtual clusters: where one is reached, and what opens it for the platform itself.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Invalid
from app.tenancy.errors import WorkspaceNotReady
from app.tenancy.models import VCLUSTER, VirtualCluster, Workspace
from app.tenancy.models.access import virtual_context

PLACE: Final = "{name}"


def address_of(template: str, namespace: str) -> str:
    """Return the address of the virtual cluster in a namespace of its host."""
    return template.replace(PLACE, namespace)


def refuse_unoffered(isolation: str | None, template: str) -> None:
    """Raise Invalid for a virtual cluster where the installation offers none."""
    if isolation == VCLUSTER and not template:
        why = "This installation offers no virtual clusters (VCLUSTER_ADDRESS)."
        raise Invalid(errors=[FieldError("isolation", why)])


def refuse_virtual(workspace: Workspace) -> None:
    """Raise WorkspaceNotReady for what a virtual cluster does for itself."""
    if workspace.isolation == VCLUSTER:
        why = "The workspace is a virtual cluster: make namespaces in it, with its kubeconfig."
        raise WorkspaceNotReady(why, workspace_id=str(workspace.id), status=workspace.status)


def keep_virtual(
    session: Session, vault: Vault, workspace_id: UUID, server: str, version: str | None, access: bytes
) -> None:
    """Keep what opens a virtual cluster, instead of what did before."""
    sealed = vault.encrypt(access, virtual_context(workspace_id))
    values = {"server": server, "version": version, "access": sealed, "updated_at": database_now()}
    given = insert(VirtualCluster).values(workspace_id=workspace_id, **values)
    session.execute(given.on_conflict_do_update(index_elements=["workspace_id"], set_=values))


def reveal_virtual(session: Session, vault: Vault, workspace_id: UUID) -> bytes | None:
    """Return what was kept of a virtual cluster, or None; raises Undecryptable."""
    mine = select(VirtualCluster.access).where(VirtualCluster.workspace_id == workspace_id)
    sealed = session.execute(mine).scalar_one_or_none()
    return None if sealed is None else vault.decrypt(sealed, virtual_context(workspace_id))
