"""Routes of organizations, workspaces and their members."""

from app.tenancy.routes import members, workspace_members
from app.tenancy.routes.organizations import organizations
from app.tenancy.routes.workspaces import workspaces

blueprints = (organizations, workspaces)

__all__ = ["blueprints", "members", "workspace_members"]
