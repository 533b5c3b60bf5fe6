"""The secret of a workspace's incoming webhook: made, rotated, and looked for by the repository a delivery names.

The session comes first; nothing here commits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from app.kernel.clock import database_now
from app.kernel.crypto import Undecryptable, Vault
from app.kernel.errors import NotFound
from app.pipelines.models.webhook import WorkspaceWebhook, vault_context
from app.pipelines.triggers import make_secret
from app.tenancy import Workspace, find_repository_key

log = logging.getLogger(__name__)

OVERLAP: Final = timedelta(hours=24)
MOST_WORKSPACES: Final = 200

IsRight = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Rotated:
    """A webhook with its new secret, which is shown this once."""

    webhook: WorkspaceWebhook
    secret: str


def rotate_secret(session: Session, vault: Vault, workspace: Workspace, *, immediately: bool = False) -> Rotated:
    """Give a workspace a new secret, its first or another; the one before stays valid a day, unless `immediately`."""
    webhook = _find_or_make(session, workspace)
    secret = make_secret()
    if webhook.secret and not immediately:
        webhook.previous_secret = webhook.secret
        webhook.previous_until = database_now() + OVERLAP
    else:
        webhook.previous_secret = webhook.previous_until = None
    webhook.rotated_at = func.clock_timestamp() if webhook.secret else None
    webhook.secret = vault.encrypt(secret.encode(), vault_context(workspace.id))
    session.flush()
    session.refresh(webhook, ["previous_until", "rotated_at"])
    return Rotated(webhook, secret)


def _find_or_make(session: Session, workspace: Workspace) -> WorkspaceWebhook:
    """Return the row, locked, with its secrets; a fresh one has an empty secret."""
    fresh = {"workspace_id": workspace.id, "organization_id": workspace.organization_id, "secret": b""}
    session.execute(insert(WorkspaceWebhook).values(fresh).on_conflict_do_nothing())
    return session.execute(
        select(WorkspaceWebhook)
        .where(WorkspaceWebhook.workspace_id == workspace.id)
        .options(undefer(WorkspaceWebhook.secret), undefer(WorkspaceWebhook.previous_secret))
        .with_for_update()
    ).scalar_one()


def find_webhook(session: Session, workspace_id: UUID) -> WorkspaceWebhook:
    """Return a workspace's webhook without its secret; raises NotFound before the first one was made."""
    webhook = session.get(WorkspaceWebhook, workspace_id)
    if webhook is None:
        raise NotFound("This workspace has no webhook yet.", resource_type="webhook", resource_id=str(workspace_id))
    return webhook


def delete_webhook(session: Session, workspace_id: UUID) -> None:
    """Forget the secret: deliveries are refused from now on. Raises NotFound."""
    session.delete(find_webhook(session, workspace_id))
    session.flush()


def find_workspaces(
    session: Session, vault: Vault, addresses: Iterable[str], is_right: IsRight, named: UUID | None = None
) -> list[UUID]:
    """Return the active workspaces with a repository of these addresses whose own secret `is_right`.

    Of all of them, or of the one that is `named`. Where it is nobody's, each workspace of the repository counts a
    refusal. Of very many, whose secrets would take long to try, only the oldest are asked.
    """
    found = session.execute(_candidates(addresses, named).limit(MOST_WORKSPACES)).all()
    signers = [
        row.workspace_id
        for row in found
        if any(is_right(secret) for secret in _open(vault, row.workspace_id, row.secret, row.previous))
    ]
    if not found:
        is_right(_NOBODYS)  # an unknown repository is to take as long as a known one
    elif not signers:
        _count_refusals(session, [row.workspace_id for row in found])
        if len(found) == MOST_WORKSPACES:
            log.warning("a repository has more workspaces than a delivery that names none is tried for")
    return signers


def _candidates(addresses: Iterable[str], named: UUID | None) -> Select[Any]:
    keys = {key for address in addresses if (key := find_repository_key(address))}
    candidates = (
        select(WorkspaceWebhook.workspace_id, WorkspaceWebhook.secret, _PREVIOUS)
        .join(Workspace, Workspace.id == WorkspaceWebhook.workspace_id)
        .where(Workspace.repository_key.in_(keys), Workspace.status == "active")
        .order_by(WorkspaceWebhook.workspace_id)
    )
    return candidates if named is None else candidates.where(WorkspaceWebhook.workspace_id == named)


_NOBODYS: Final = make_secret()
_PREVIOUS: Final = (
    select(WorkspaceWebhook.previous_secret)
    .where(WorkspaceWebhook.previous_until > database_now())
    .correlate(WorkspaceWebhook)
    .scalar_subquery()
    .label("previous")
)


def _open(vault: Vault, workspace_id: UUID, *stored: bytes | None) -> list[str]:
    """What cannot be read proves nothing, and keeps no other workspace of the repository from being asked."""
    try:
        return [vault.decrypt(one, vault_context(workspace_id)).decode() for one in stored if one]
    except Undecryptable:
        log.warning("the secret of a webhook cannot be read", extra={"workspace_id": workspace_id})
        return []


def _count_refusals(session: Session, workspace_ids: list[UUID]) -> None:
    session.execute(
        update(WorkspaceWebhook)
        .where(WorkspaceWebhook.workspace_id.in_(workspace_ids))
        .values(refused=WorkspaceWebhook.refused + 1, refused_at=database_now())
    )
