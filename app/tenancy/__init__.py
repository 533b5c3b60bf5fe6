"""Tenancy: organizations, of which everyone has a personal one, and the workspaces in them. Importing this room makes
each registration found a personal organization. Higher rooms hang what they own on `Workspace.id` (with `ON DELETE
CASCADE`), object to a deletion by `before_deletion`, and tell of a workspace's activity by `tells_activity`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.tenancy import invitations as _invitations
from app.tenancy.errors import OrganizationInUse, SlugTaken, WorkspaceInUse
from app.tenancy.events import (
    OrganizationCreated,
    WorkspaceCreated,
    WorkspaceDeleted,
    WorkspaceStatusChanged,
    WorkspaceUpdated,
)
from app.tenancy.hooks import before_deletion, before_organization_deletion, tells_activity
from app.tenancy.models import Activity, Organization, Workspace
from app.tenancy.plans import apply_plans
from app.tenancy.queries import visible_workspaces
from app.tenancy.repository import RepositoryRules, find_branch_fault, find_repository_key, find_url_fault
from app.tenancy.service import create_organization, create_workspace, personal_organization

if TYPE_CHECKING:
    from app.tenancy.routes import blueprints

every_mail = _invitations

__all__ = [
    "Activity",
    "Organization",
    "OrganizationCreated",
    "OrganizationInUse",
    "RepositoryRules",
    "SlugTaken",
    "Workspace",
    "WorkspaceCreated",
    "WorkspaceDeleted",
    "WorkspaceInUse",
    "WorkspaceStatusChanged",
    "WorkspaceUpdated",
    "apply_plans",
    "before_deletion",
    "before_organization_deletion",
    "blueprints",
    "create_organization",
    "create_workspace",
    "find_branch_fault",
    "find_repository_key",
    "find_url_fault",
    "personal_organization",
    "tells_activity",
    "visible_workspaces",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too, for its tables.
    if name == "blueprints":
        return import_module("app.tenancy.routes").blueprints
    raise AttributeError(name)
