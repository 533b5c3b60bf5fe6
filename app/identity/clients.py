"""Client applications: registered, changed, disabled and deleted. With an application its keys and those of its users
let in nobody any more, for it is asked about at each of their requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ClauseElement, Select, func, select
from sqlalchemy.orm import Session

from app.identity.client_keys import give_client_key, revoke_client_keys
from app.identity.errors import ClientNameTaken
from app.identity.events import ClientUpdated
from app.identity.models import Client, ClientKey
from app.identity.taken import refuse_taken
from app.kernel.audit import name_actor, note_change
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.errors import Conflict, NotFound
from app.kernel.events import announce

ACTIVE: Final = "active"
DISABLED: Final = "disabled"
STATUSES: Final = (ACTIVE, DISABLED)

_FIELDS: Final = {"uq_clients_name_lower": "name"}


def register_client(session: Session, vault: Vault, fields: Mapping[str, Any]) -> tuple[Client, str]:
    """Make an application and return it with the text of its key, which nobody can tell again.

    Raises ClientNameTaken.
    """
    client = Client(**fields)
    session.add(client)
    with refuse_taken(_FIELDS, ClientNameTaken):
        session.flush()
    name_actor(client.id, client.name)
    return client, give_client_key(session, vault, client)


def load_client(session: Session, client_id: UUID, *, for_update: bool = True) -> Client:
    """Return an application, locked unless it is only looked at. Raises NotFound."""
    client = session.get(Client, client_id, with_for_update=for_update)
    if client is None or client.deleted_at is not None:
        raise NotFound(resource_type="client", resource_id=str(client_id))
    return client


def filter_clients(filters: Mapping[str, Any]) -> Select[Client]:
    """Select applications; filters: status, plan, search in the name."""
    clients = select(Client).where(Client.deleted_at.is_(None))
    if "status" in filters:
        is_active = Client.disabled_at.is_(None)
        clients = clients.where(is_active if filters["status"] == ACTIVE else ~is_active)
    if "plan" in filters:
        clients = clients.where(Client.plan == filters["plan"])
    if "search" in filters:
        clients = clients.where(Client.name.icontains(filters["search"], autoescape=True))
    return clients


def change_client(session: Session, client: Client, fields: Mapping[str, Any]) -> Client:
    """Write the given fields. Raises ClientNameTaken."""
    changed = [
        name for name, value in fields.items() if isinstance(value, ClauseElement) or getattr(client, name) != value
    ]
    for name, value in fields.items():
        setattr(client, name, value)
    with refuse_taken(_FIELDS, ClientNameTaken):
        session.flush()
    session.refresh(client, ["disabled_at"])
    if changed:
        announce(session, ClientUpdated(client.id, tuple(sorted(changed))))
    return client


def disable_client(session: Session, client: Client) -> Client:
    """Let an application and its users in no more; enabled again, they go on with the keys they have.

    Raises Conflict when it is disabled.
    """
    if client.disabled_at is not None:
        raise Conflict("This client application is disabled already.")
    return change_client(session, client, {"disabled_at": database_now()})


def enable_client(session: Session, client: Client) -> Client:
    """Let an application in again. Raises Conflict when it is not disabled."""
    if client.disabled_at is None:
        raise Conflict("This client application is not disabled.")
    return change_client(session, client, {"disabled_at": None})


def delete_client(session: Session, client: Client) -> None:
    """End an application: its name is free, and none of its keys lets in. Its rows go by and by: there may be many."""
    is_working = (ClientKey.client_id == client.id) & ClientKey.revoked_at.is_(None)
    users = select(func.count()).where(is_working, ClientKey.user_id.is_not(None))
    ended = session.scalar(users) or 0
    revoke_client_keys(session, is_working, ClientKey.user_id.is_(None))
    client.deleted_at = database_now()
    session.flush()
    if ended:
        note_change(session, "updated", "client", client.id, keys_of_users=[ended, 0])
