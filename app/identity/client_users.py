"""The users of client applications: made by their application, entered by their key alone. They are no accounts: names
and addresses are their application's business, nobody mails them, and nothing but the application is open to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, selectinload

from app.identity.client_keys import give_user_key, revoke_client_keys
from app.identity.errors import AccountDisabled, NameTaken, PlanLimitExceeded
from app.identity.models import Client, ClientKey, User
from app.identity.permissions import CLIENT_PLANS
from app.identity.taken import refuse_taken
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.errors import NotFound
from app.kernel.principal import Principal
from app.kernel.visibility import visible

Farewell = Callable[[Session, User], None]

_farewells: list[Farewell] = []
_FIELDS = {"uq_users_client_username_lower": "username", "uq_users_client_email_lower": "email"}
_TAKEN = "A user of this client application has this {field} already."


def visible_users(caller: Principal, filters: Mapping[str, Any]) -> Select[User]:
    """Select whom the caller may see: an administrator all, an application its users, and these themselves. Filters:
    client_id, is_active, search in names and address."""
    users = select(User).where(visible(caller, "users:read", User.client_id, User.id)).options(selectinload(User.key))
    if "client_id" in filters:
        users = users.where(User.client_id == filters["client_id"])
    if "is_active" in filters:
        is_active = User.disabled_at.is_(None)
        users = users.where(is_active if filters["is_active"] else ~is_active)
    if "search" in filters:
        named = (User.username, User.email, User.display_name)
        users = users.where(or_(*(column.icontains(filters["search"], autoescape=True) for column in named)))
    return users


def make_user(session: Session, vault: Vault, client_id: UUID, fields: Mapping[str, Any]) -> tuple[User, str]:
    """Make a user of an application and return them with the text of their key, which nobody can tell again.

    Raises NameTaken, which names the field, and PlanLimitExceeded.
    """
    _refuse_beyond_plan(session, client_id)
    user = User(client_id=client_id)
    session.add(user)
    _write(session, user, fields)
    return user, give_user_key(session, vault, user)


def change_user(session: Session, user: User, fields: Mapping[str, Any]) -> User:
    """Write the given fields of a user whose row is locked; whoever is not active any more loses their key.

    Raises NameTaken.
    """
    _write(session, user, fields)
    if not user.is_active:
        revoke_client_keys(session, ClientKey.user_id == user.id)
    session.refresh(user, ["key"])
    return user


def before_user_deletion(farewell: Farewell) -> Farewell:
    """Register what a higher room does before a user goes, in the transaction that deletes them; at import."""
    _farewells.append(farewell)
    return farewell


def delete_user(session: Session, user: User) -> None:
    """Delete a user whose row is locked; their key fails from now on."""
    for farewell in _farewells:
        farewell(session, user)
    session.delete(user)


def log_in(session: Session, vault: Vault, client_id: UUID, email: str) -> tuple[User, str]:
    """Give the user with this address another key and return them with its text; the key before fails at once.

    Raises NotFound for an address that no user of the application has, AccountDisabled.
    """
    theirs = select(User).where(User.client_id == client_id, func.lower(User.email) == email.lower())
    user = session.scalars(theirs.with_for_update()).one_or_none()
    if user is None:
        raise NotFound("No user of this client application has this address.", resource_type="user", resource_id=email)
    if user.disabled_at is not None:
        raise AccountDisabled("This user is not active.")
    user.last_login_at = database_now()
    return user, give_user_key(session, vault, user)


def _write(session: Session, user: User, fields: Mapping[str, Any]) -> None:
    fields = dict(fields)
    if (is_active := fields.pop("is_active", None)) is not None and is_active != user.is_active:
        user.disabled_at = None if is_active else database_now()
    if "client_permissions" in fields:
        fields["client_permissions"] = sorted(set(fields["client_permissions"]))
    for name, value in fields.items():
        setattr(user, name, value)
    with refuse_taken(_FIELDS, NameTaken, _TAKEN):
        session.flush()


def _refuse_beyond_plan(session: Session, client_id: UUID) -> None:
    """Raise PlanLimitExceeded for an application that has as many users as it may. Many at once wait for each other."""
    plan = session.scalars(select(Client.plan).where(Client.id == client_id).with_for_update(key_share=True)).one()
    most = CLIENT_PLANS[plan]
    if most is None:
        return
    some = select(User.id).where(User.client_id == client_id).limit(most).subquery()
    if (session.scalar(select(func.count()).select_from(some)) or 0) >= most:
        raise PlanLimitExceeded(limit="users", most=most, plan=plan)
