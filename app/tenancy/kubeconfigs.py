"""Kubeconfigs of members: fetched by a worker, kept encrypted, and given to their owners while fresh."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.errors import Forbidden
from app.kernel.principal import Principal
from app.tenancy.access import Rights, role_of
from app.tenancy.intents import IssueKubeconfig
from app.tenancy.models import Workspace, WorkspaceCredential
from app.tenancy.models.access import credential_context
from app.tenancy.placing import refuse_unready

# With a quarter of its time left it is fetched anew.
FRESH: Final = 4
TOGETHER: Final = 5


def find_kubeconfig(session: Session, vault: Vault, workspace: Workspace, caller: Principal) -> str | None:
    """Return the caller's kubeconfig if there is one that holds for a while yet and is for the role they have.

    Raises what `refuse_unready` does; Forbidden for a key that may less than its owner: the cluster knows but one of
    them.
    """
    refuse_unready(workspace)
    role = Rights(session).role_of(caller.user_id, workspace)
    if role is None or role_of(caller, workspace) != role:
        raise Forbidden(
            "A kubeconfig gives all the rights of your account; this key has less.", required_permission="members:write"
        )
    mine = select(WorkspaceCredential, database_now()).where(
        WorkspaceCredential.workspace_id == workspace.id,
        WorkspaceCredential.user_id == caller.user_id,
        WorkspaceCredential.role == role,
    )
    row = session.execute(mine).one_or_none()
    if row is None or row[0].expires_at - row[1] < (row[0].expires_at - row[0].issued_at) / FRESH:
        return None
    return vault.decrypt(row[0].access, credential_context(workspace.id, caller.user_id)).decode()


def ask_for_kubeconfig(session: Session, workspace: Workspace, caller: Principal) -> UUID:
    """Ask for a new one; who asks twice within seconds has asked once."""
    moment = session.execute(select(database_now())).scalar_one()
    tick = int(moment.timestamp()) // TOGETHER
    return jobs.accept(
        session,
        IssueKubeconfig(workspace.id, caller.user_id),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        created_by=caller.user_id,
        resource=("workspace", workspace.id),
        key=f"kubeconfig:{workspace.id}:{caller.user_id}:{tick}",
    )


def keep_kubeconfig(
    session: Session, vault: Vault, workspace: Workspace, user_id: UUID, role: str, text: str, seconds: float
) -> datetime:
    """Keep the kubeconfig of a member for so many seconds, instead of the one before; returns when they are over.

    By our clock: a cluster whose own is wrong would have it stale at once, or fresh for ever.
    """
    sealed = vault.encrypt(text.encode(), credential_context(workspace.id, user_id))
    issued_at = session.execute(select(database_now())).scalar_one()
    expires_at: datetime = issued_at + timedelta(seconds=seconds)
    values = {"role": role, "access": sealed, "expires_at": expires_at, "issued_at": issued_at}
    given = insert(WorkspaceCredential).values(workspace_id=workspace.id, user_id=user_id, **values)
    session.execute(given.on_conflict_do_update(index_elements=["workspace_id", "user_id"], set_=values))
    return expires_at


def forget_kubeconfigs_on(session: Session, host_id: UUID) -> None:
    """Forget all that were given for a cluster: it is opened otherwise now."""
    theirs = select(Workspace.id).where(Workspace.host_id == host_id)
    session.execute(delete(WorkspaceCredential).where(WorkspaceCredential.workspace_id.in_(theirs)))


def forget_kubeconfigs(session: Session, workspace: Workspace, members: frozenset[UUID]) -> int:
    """Forget those of users who are no members any more, and those whose time is over; returns how many."""
    mine = WorkspaceCredential.workspace_id == workspace.id
    over = WorkspaceCredential.user_id.not_in(members) | (WorkspaceCredential.expires_at < database_now())
    return len(
        session.execute(delete(WorkspaceCredential).where(mine, over).returning(WorkspaceCredential.user_id)).all()
    )
