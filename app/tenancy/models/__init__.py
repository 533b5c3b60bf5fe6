"""The tables of tenancy."""

from app.tenancy.models.access import VirtualCluster, WorkspaceCredential
from app.tenancy.models.organizations import PLANS, STANDARD, Invitation, Organization
from app.tenancy.models.projects import PROJECT_ROLES, Project, ProjectMember
from app.tenancy.models.provisioning import (
    DONE,
    ENSURING,
    OPEN,
    UNDOING,
    UNDONE,
    Provisioning,
    ProvisioningPhase,
)
from app.tenancy.models.spaces import Space, SpaceRepair
from app.tenancy.models.workspaces import (
    ACTIVE,
    DELETING,
    FAILED,
    INACTIVE,
    ISOLATIONS,
    NAMESPACE,
    PROVISIONING,
    SETTABLE,
    SUSPENDED,
    VCLUSTER,
    WORKSPACE_STATUSES,
    Activity,
    Workspace,
)

__all__ = [
    "ACTIVE",
    "DELETING",
    "DONE",
    "ENSURING",
    "FAILED",
    "INACTIVE",
    "ISOLATIONS",
    "NAMESPACE",
    "OPEN",
    "PLANS",
    "PROJECT_ROLES",
    "PROVISIONING",
    "SETTABLE",
    "STANDARD",
    "SUSPENDED",
    "UNDOING",
    "UNDONE",
    "VCLUSTER",
    "WORKSPACE_STATUSES",
    "Activity",
    "Invitation",
    "Organization",
    "Project",
    "ProjectMember",
    "Provisioning",
    "ProvisioningPhase",
    "Space",
    "SpaceRepair",
    "VirtualCluster",
    "Workspace",
    "WorkspaceCredential",
]
