"""Who is asking, what they may do, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

NOTHING: Final[frozenset[str]] = frozenset()

PLACES: Final = ("organization_id", "client_id", "account_id", "workspace_id", "cluster_id", "namespace_id")
"""The columns by which a row says where it lies, from the widest place to the narrowest; a row has some of them."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request: a user who has logged in, a key that acts for its maker, a client application, or a user
    of one.

    `grants` maps a place to the permissions (`area:verb`) held in it and in all that lies in it. A place goes by an id:
    an organization's, a client application's, a workspace's, a cluster's, a namespace's (see `namespace_place`), or the
    user's own, which is their account. A platform administrator holds all of them everywhere. `ceiling` is what a key
    was given: beyond it the key may nothing, whatever its maker may. `session_id` or `key_id` names what the caller
    came in by, so that what it opened can end with it. `client_id` is the client application that the caller is, or is
    a user of; it has no user, so what it does itself it does by its own id.
    """

    user_id: UUID
    username: str
    is_admin: bool = False
    grants: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    session_id: UUID | None = None
    expires_at: datetime | None = None
    key_id: UUID | None = None
    ceiling: frozenset[str] | None = None
    client_id: UUID | None = None

    def may(self, permission: str, *places: UUID | None) -> bool:
        """Tell whether this caller holds `permission` in one of the places, or, where none is given, everywhere.

        The one function that decides. What lies in several places, one inside the other, is reached from any of them.
        """
        if not self.permits(permission):
            return False
        return self.is_admin or any(permission in self.grants.get(place, NOTHING) for place in places if place)

    def permits(self, permission: str) -> bool:
        """Tell whether what the caller came in by carries `permission` at all; a login carries each."""
        return self.ceiling is None or permission in self.ceiling

    def places_with(self, permission: str) -> list[UUID]:
        """Return the places in which this caller holds `permission`."""
        if not self.permits(permission):
            return []
        return [place for place, held in self.grants.items() if permission in held]

    def owns(self, row: Any) -> bool:
        """Tell whether a row lies in no place and is the caller's own. A key of an organization, which does not reach
        its maker's account, owns nothing."""
        is_own = getattr(row, "created_by", None) == self.user_id and not places_of(row)
        return is_own and self.holds_account

    @property
    def holds_account(self) -> bool:
        """Whether the caller's own account is within reach; for a client application it is the application."""
        return self.user_id in self.grants

    @property
    def counted_as(self) -> UUID:
        """By what this caller is told from others: a key from its maker. The keys that a client application, or one of
        its users, has one after the other are one caller."""
        return self.user_id if self.key_id is None or self.client_id else self.key_id

    def lacks(self, permissions: Iterable[str], *places: UUID | None) -> list[str]:
        """Return, sorted, those of the permissions that this caller does not hold in any of the places."""
        return sorted(permission for permission in permissions if not self.may(permission, *places))


def places_of(row: Any) -> tuple[UUID, ...]:
    """Return the places a row lies in."""
    return tuple(place for name in PLACES if (place := getattr(row, name, None)))


def namespace_place(cluster_id: UUID, namespace: str) -> UUID:
    """Return the id of a namespace as a place: a namespace has a name only, within its cluster."""
    return uuid5(cluster_id, namespace)
