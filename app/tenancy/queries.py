"""What is read of organizations and workspaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import InstrumentedAttribute

from app.kernel.principal import Principal
from app.tenancy.models import Organization, Workspace


def visible_organizations(caller: Principal, filters: dict[str, Any]) -> Select[Organization]:
    """Select the organizations a caller may read; filter: search."""
    rows = select(Organization).where(_visible(Organization.id, caller, "organizations:read"))
    return rows.where(*_matches(filters, Organization.name, Organization.slug))


def visible_workspaces(caller: Principal, filters: dict[str, Any]) -> Select[Workspace]:
    """Select the workspaces a caller may read; filters: status, organization_id, search."""
    rows = select(Workspace).where(_visible(Workspace.organization_id, caller, "workspaces:read"))
    if "status" in filters:
        rows = rows.where(Workspace.status == filters["status"])
    if "organization_id" in filters:
        rows = rows.where(Workspace.organization_id == filters["organization_id"])
    return rows.where(*_matches(filters, Workspace.name, Workspace.slug))


def _visible(organization_id: InstrumentedAttribute[UUID], caller: Principal, permission: str) -> ColumnElement[bool]:
    if caller.is_admin:
        return true()
    return organization_id.in_(caller.organizations_with(permission))


def _matches(filters: dict[str, Any], *columns: InstrumentedAttribute[str]) -> list[ColumnElement[bool]]:
    """Match `search` case-blind anywhere in one of the columns."""
    if "search" not in filters:
        return []
    found = columns[0].icontains(filters["search"], autoescape=True)
    for column in columns[1:]:
        found |= column.icontains(filters["search"], autoescape=True)
    return [found]
