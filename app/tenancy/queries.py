"""What is read of organizations and workspaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.tenancy.models import Organization, Space, Workspace


def visible_organizations(caller: Principal, filters: dict[str, Any]) -> Select[Organization]:
    """Select the organizations a caller may read; filter: search."""
    rows = select(Organization).where(visible(caller, "organizations:read", Organization.id))
    return rows.where(*_matches(filters, Organization.name, Organization.slug))


def visible_workspaces(caller: Principal, filters: dict[str, Any]) -> Select[Workspace]:
    """Select the workspaces a caller may read; filters: status, cluster_id, organization_id,
    search."""
    rows = select(Workspace).where(visible(caller, "workspaces:read", Workspace.organization_id, Workspace.id))
    if "status" in filters:
        rows = rows.where(Workspace.status == filters["status"])
    if "cluster_id" in filters:
        rows = rows.where(Workspace.host_id == filters["cluster_id"])
    if "organization_id" in filters:
        rows = rows.where(Workspace.organization_id == filters["organization_id"])
    return rows.where(*_matches(filters, Workspace.name, Workspace.slug))


def namespaces_of(session: Session, workspace_id: UUID) -> list[str]:
    """Return the namespaces of a workspace and its projects on their cluster."""
    mine = select(Space.name).where(Space.workspace_id == workspace_id, Space.purpose != "access")
    return list(session.scalars(mine.order_by(Space.name)))


def _matches(filters: dict[str, Any], *columns: InstrumentedAttribute[str]) -> list[ColumnElement[bool]]:
    """Match `search` case-blind anywhere in one of the columns."""
    if "search" not in filters:
        return []
    found = columns[0].icontains(filters["search"], autoescape=True)
    for column in columns[1:]:
        found |= column.icontains(filters["search"], autoescape=True)
    return [found]
