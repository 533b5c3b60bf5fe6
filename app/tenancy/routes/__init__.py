"""Routes of organizations, workspaces and their members."""

from app.tenancy.routes.organizations import organizations
from app.tenancy.routes.workspace_members import workspaces

blueprints = (organizations, workspaces)
