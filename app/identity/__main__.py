"""Writes docs/permissions.md: `python -m app.identity > docs/permissions.md`."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

from app.identity.permissions import (
    ACCOUNT_PERMISSIONS,
    BUILT_IN,
    CLIENT_PERMISSIONS,
    CLIENT_USER_ACCOUNT,
    CLIENT_USER_PERMISSIONS,
    PLATFORM_PERMISSIONS,
)

INTRODUCTION = """\
# Permissions

A permission is `area:verb`. It is held in a place, through a role, and reaches all that lies in that place: in an
organization, in a workspace, in a cluster or in one of its namespaces, in a client application. Who asks for what they
may read but not do gets 403 with the permission that is missing in `details.required_permission`; what they may not
read does not exist for them (404).

- Members of an organization have one of its four roles (`PUT /organizations/{id}/members/{user_id}/role`), members of a
  workspace one of its three (`/workspaces/{id}/members`). Every other role is given by `POST /users/{id}/roles`, for
  good or for a time.
- Own roles are made of the permissions below by `POST /roles`. Built-in roles cannot be changed.
- Nobody gives, changes or takes away what they do not hold themselves.
- A key (`/api-keys`) carries some permissions as its scopes, and may what its maker may at that moment within them. No
  key carries `account:write` or `keys:write`.
- A client application (`/clients`) is a place by itself and lies in no organization. Its key holds the same always, its
  users hold what it gives them (`/users`); neither reaches anything outside of it.

This page is written by `python -m app.identity`.
"""


def page() -> str:
    """Return the page, in Markdown."""
    roles = ("## Roles", "", *_roles(), "", "## What they hold", "", *_holdings(), "")
    return "\n".join([INTRODUCTION, *roles, "## Client applications", "", *_of_clients(), ""])


def _roles() -> Iterator[str]:
    yield "| role | given in | from | what for |"
    yield "|---|---|---|---|"
    for role in BUILT_IN.values():
        yield f"| `{role.name}` | {', '.join(role.scopes)} | {role.source} | {role.description} |"


def _holdings() -> Iterator[str]:
    yield f"Platform administrators alone hold {_names(PLATFORM_PERMISSIONS)}, and with them all others, everywhere."
    yield f"Everybody holds these over their own account: {_names(ACCOUNT_PERMISSIONS)}."
    for role in BUILT_IN.values():
        if role.scopes != ("platform",):
            yield f"\n**{role.name}**: {_by_area(role.permissions)}."


def _of_clients() -> Iterator[str]:
    yield f"The key of an application holds over it: {_by_area(CLIENT_PERMISSIONS)}."
    yield f"\nIts users hold over themselves {_names(CLIENT_USER_ACCOUNT)}; over the application they hold what"
    yield "they are given:\n"
    yield "| given | holds |"
    yield "|---|---|"
    for name, held in CLIENT_USER_PERMISSIONS.items():
        yield f"| `{name}` | {_names(held)} |"


def _names(permissions: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(permissions))


def _by_area(permissions: Iterable[str]) -> str:
    verbs: dict[str, list[str]] = defaultdict(list)
    for permission in sorted(permissions):
        area, _, verb = permission.partition(":")
        verbs[area].append(verb)
    return ", ".join(f"{area} ({', '.join(held)})" for area, held in verbs.items())


if __name__ == "__main__":
    sys.stdout.write(page())
