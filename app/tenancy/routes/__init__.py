"""Routes of organizations, workspaces, projects and their members."""

from app.tenancy.metrics import read_metrics
from app.tenancy.routes import members, places, project_members, workspace_members
from app.tenancy.routes.organizations import organizations
from app.tenancy.routes.projects import projects
from app.tenancy.routes.workspaces import workspaces

blueprints = (organizations, workspaces, projects)
workspaces.tells_metrics(read_metrics)

__all__ = ["blueprints", "members", "places", "project_members", "workspace_members"]
