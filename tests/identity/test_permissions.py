"""Roles and what they may do."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from flask import Flask

from app.http import Blueprint
from app.identity import BUILT_IN, ORGANIZATION_ROLES, PERMISSIONS, PERMISSIONS_OF_ROLE
from app.identity.__main__ import page
from app.identity.permissions import ACCOUNT_PERMISSIONS, GRANTABLE, PLATFORM_PERMISSIONS

ROOT = Path(__file__).parents[2]


def test_every_role_holds_all_that_the_role_below_it_holds_and_more() -> None:
    assert ORGANIZATION_ROLES == ("owner", "admin", "member", "viewer")
    for higher, lower in pairwise(ORGANIZATION_ROLES):
        assert PERMISSIONS_OF_ROLE[higher] > PERMISSIONS_OF_ROLE[lower]


def test_viewers_only_read() -> None:
    assert {permission.partition(":")[2] for permission in PERMISSIONS_OF_ROLE["viewer"]} == {"read"}


def test_a_permission_is_an_area_and_a_verb() -> None:
    assert not [permission for permission in PERMISSIONS if not re.fullmatch(r"[a-z]+:[a-z]+", permission)]


def test_who_may_do_something_in_an_area_may_read_it() -> None:
    for role in BUILT_IN.values():
        areas = {permission.partition(":")[0] for permission in role.permissions} - {"platform", "users"}
        assert {f"{area}:read" for area in areas - {"organizations"}} <= role.permissions, role.name


def test_every_route_asks_for_a_permission_that_there_is(app: Flask) -> None:
    asked = {
        operation.guard.permission
        for blueprint in app.blueprints.values()
        if isinstance(blueprint, Blueprint)
        for operation in blueprint.operations.values()
        if operation.guard.permission
    }
    assert "workspaces:write" in asked
    assert asked <= PERMISSIONS


def test_an_owner_holds_all_that_any_role_inside_an_organization_holds() -> None:
    inside = [role.permissions for role in BUILT_IN.values() if "platform" not in role.scopes]
    assert frozenset().union(*inside) == PERMISSIONS_OF_ROLE["owner"] == GRANTABLE
    assert not GRANTABLE & (PLATFORM_PERMISSIONS | {"account:write"})
    assert BUILT_IN["platform-user"].permissions == ACCOUNT_PERMISSIONS


def test_the_page_of_permissions_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "permissions.md").read_text() == page()
