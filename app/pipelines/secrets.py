"""Secrets: written by clients, read by workers alone. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, any_, func, or_, select
from sqlalchemy.orm import Session

from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Invalid
from app.pipelines.keeping import Holder, Places, fresh, keep, nearest, note_written
from app.pipelines.models import NEAREST_FIRST, Secret
from app.pipelines.models.kept import vault_context
from app.pipelines.recording import Briefing
from app.tenancy import Workspace

UNCHANGED: Any = object()
OF_REPOSITORY: Final = ("REPOSITORY_USERNAME", "REPOSITORY_TOKEN")
"""What a workspace keeps to open its repository, by name."""


def create_secret(
    session: Session,
    vault: Vault,
    holder: Holder,
    name: str,
    value: str,
    created_by: UUID,
    workspace_ids: Sequence[UUID] | None = None,
) -> Secret:
    """Write a secret; raises AlreadyExists for a name the holder has, and Invalid for workspaces it cannot be for."""
    secret = fresh(Secret, holder, name, created_by)
    secret.workspace_ids = _check_workspaces(session, holder, workspace_ids)
    secret.value = _seal(vault, secret, value)
    return keep(session, secret, holder)


def change_secret(
    session: Session,
    vault: Vault,
    holder: Holder,
    secret: Secret,
    *,
    value: str | None = None,
    workspace_ids: Sequence[UUID] | None = UNCHANGED,
) -> Secret:
    """Change what is given; steps that run keep the value they were given. Raises Invalid as `create_secret` does."""
    if value is not None:
        secret.value = _seal(vault, secret, value)
    if workspace_ids is not UNCHANGED:
        secret.workspace_ids = _check_workspaces(session, holder, workspace_ids)
    return note_written(session, secret)


def reveal_secrets(session: Session, vault: Vault, workspace_id: UUID, names: Collection[str]) -> dict[str, str]:
    """Return the values of those of `names` that the workspace itself has; raises Undecryptable."""
    return _open(vault, session.execute(_stored(names).where(Secret.holder() == workspace_id)))


def reveal_nearest(session: Session, vault: Vault, places: Places, names: Collection[str]) -> dict[str, str]:
    """Return the values of those of `names` that a step in these places may name, the nearest of each; raises
    Undecryptable."""
    for_it = or_(Secret.workspace_ids.is_(None), any_(Secret.workspace_ids) == places.workspace_id)
    return _open(vault, nearest(session.execute(_stored(names).where(places.is_near(Secret), for_it))).values())


def reveal_for_stage(session: Session, vault: Vault, briefing: Briefing) -> tuple[dict[str, str], dict[str, str]]:
    """Return what opens the workspace's repository and, of a trusted execution, what the stage's steps name; raises
    Undecryptable."""
    named = set().union(*(step.secrets for step in briefing.planned.steps)) if briefing.trusted else set()
    opening = reveal_secrets(session, vault, briefing.workspace_id, OF_REPOSITORY)
    return opening, reveal_nearest(session, vault, briefing.places, named) if named else {}


def _stored(names: Collection[str]) -> Select[Any]:
    holders = [getattr(Secret, column) for column in NEAREST_FIRST]
    return select(Secret.id, Secret.name, Secret.value, *holders).where(Secret.name.in_(names))


def _open(vault: Vault, rows: Iterable[Any]) -> dict[str, str]:
    return {row.name: vault.decrypt(row.value, vault_context(row)).decode() for row in rows}


def _seal(vault: Vault, secret: Secret, value: str) -> bytes:
    return vault.encrypt(value.encode(), vault_context(secret))


def _check_workspaces(session: Session, holder: Holder, wanted: Sequence[UUID] | None) -> list[UUID] | None:
    """Return the workspaces a secret is for, sorted; None for all."""
    if wanted is None:
        return None
    if holder.kind != "organization":
        raise Invalid(errors=[FieldError("workspace_ids", "is for secrets of organizations")])
    ids = sorted(set(wanted))
    mine = select(func.count()).where(Workspace.organization_id == holder.id, Workspace.id.in_(ids))
    if session.execute(mine).scalar_one() != len(ids):
        raise Invalid(errors=[FieldError("workspace_ids", "names a workspace that the organization does not have")])
    return ids
