"""Tenancy: organizations, of which everyone has a personal one, the workspaces in them, and their projects. Importing
this room makes each registration found a personal organization. Higher rooms hang what they own on `Workspace.id` (with
`ON DELETE CASCADE`), object to a deletion by `before_deletion`, tell of a workspace's activity by `tells_activity`, and
name the clusters that workspaces may be put on by `provides_hosts`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs
from app.tenancy import courses, names, operations
from app.tenancy import invitations as _invitations
from app.tenancy.access import Rights
from app.tenancy.courses import COURSES, MAKING
from app.tenancy.errors import BelowUse, NamespaceNotOurs, OrganizationInUse, SlugTaken, WorkspaceInUse
from app.tenancy.events import (
    OrganizationCreated,
    WorkspaceCreated,
    WorkspaceDeleted,
    WorkspaceStatusChanged,
    WorkspaceUpdated,
)
from app.tenancy.hooks import before_deletion, before_organization_deletion, tells_activity
from app.tenancy.hosts import Host, provides_hosts
from app.tenancy.intents import (
    ChangeProject,
    ChangeWorkspace,
    DeleteProject,
    DeleteWorkspace,
    IssueKubeconfig,
    ProvisionProject,
    ProvisionWorkspace,
    PruneSpaces,
    ReconcileHost,
    ReconcileSpaces,
    SyncMembers,
    UndoProvisioning,
)
from app.tenancy.kubeconfigs import forget_kubeconfigs, forget_kubeconfigs_on, keep_kubeconfig
from app.tenancy.member_sync import accept_member_sync
from app.tenancy.models import (
    ACTIVE,
    DELETING,
    DONE,
    ENSURING,
    OPEN,
    SUSPENDED,
    UNDOING,
    UNDONE,
    Activity,
    Organization,
    Project,
    Provisioning,
    ProvisioningPhase,
    Workspace,
)
from app.tenancy.models.provisioning import RUNNING
from app.tenancy.operations import is_busy, operation_ended, undo_ended
from app.tenancy.placing import refuse_unready
from app.tenancy.plans import apply_plans
from app.tenancy.provisioning_events import ProvisioningProgress
from app.tenancy.pruning import forget_expired_kubeconfigs, forget_many_repairs, forget_operations, forget_repairs
from app.tenancy.queries import namespaces_of, visible_workspaces
from app.tenancy.quotas import find_less, find_over_use, is_same_amount, read_amounts, read_quantity, write_amount
from app.tenancy.reconciling import (
    Repair,
    ask_to_reconcile,
    begin_repair,
    find_known_leftovers,
    note_repairs,
    note_use,
    want_quiet,
    wanted_on_host,
)
from app.tenancy.repository import RepositoryRules, find_branch_fault, find_repository_key, find_url_fault
from app.tenancy.retrying import operation_retried
from app.tenancy.service import create_organization, create_workspace, personal_organization
from app.tenancy.spaces import WantedSpace, WantedWorkspace, want_workspace
from app.tenancy.virtual import address_of, keep_virtual, reveal_virtual

if TYPE_CHECKING:
    from app.tenancy.routes import blueprints

every_mail = _invitations

for _kind in sorted({course.intent.kind for course in COURSES.values()}):
    jobs.follow(_kind, ended=operation_ended, retried=operation_retried)
jobs.follow(UndoProvisioning.kind, ended=undo_ended)

__all__ = [
    "ACTIVE",
    "COURSES",
    "DELETING",
    "DONE",
    "ENSURING",
    "MAKING",
    "OPEN",
    "RUNNING",
    "SUSPENDED",
    "UNDOING",
    "UNDONE",
    "Activity",
    "BelowUse",
    "ChangeProject",
    "ChangeWorkspace",
    "DeleteProject",
    "DeleteWorkspace",
    "Host",
    "IssueKubeconfig",
    "NamespaceNotOurs",
    "Organization",
    "OrganizationCreated",
    "OrganizationInUse",
    "Project",
    "ProvisionProject",
    "ProvisionWorkspace",
    "Provisioning",
    "ProvisioningPhase",
    "ProvisioningProgress",
    "PruneSpaces",
    "ReconcileHost",
    "ReconcileSpaces",
    "Repair",
    "RepositoryRules",
    "Rights",
    "SlugTaken",
    "SyncMembers",
    "UndoProvisioning",
    "WantedSpace",
    "WantedWorkspace",
    "Workspace",
    "WorkspaceCreated",
    "WorkspaceDeleted",
    "WorkspaceInUse",
    "WorkspaceStatusChanged",
    "WorkspaceUpdated",
    "accept_member_sync",
    "address_of",
    "apply_plans",
    "ask_to_reconcile",
    "before_deletion",
    "before_organization_deletion",
    "begin_repair",
    "blueprints",
    "courses",
    "create_organization",
    "create_workspace",
    "find_branch_fault",
    "find_known_leftovers",
    "find_less",
    "find_over_use",
    "find_repository_key",
    "find_url_fault",
    "forget_expired_kubeconfigs",
    "forget_kubeconfigs",
    "forget_kubeconfigs_on",
    "forget_many_repairs",
    "forget_operations",
    "forget_repairs",
    "is_busy",
    "is_same_amount",
    "keep_kubeconfig",
    "keep_virtual",
    "names",
    "namespaces_of",
    "note_repairs",
    "note_use",
    "operation_ended",
    "operation_retried",
    "operations",
    "personal_organization",
    "provides_hosts",
    "read_amounts",
    "read_quantity",
    "refuse_unready",
    "reveal_virtual",
    "tells_activity",
    "undo_ended",
    "visible_workspaces",
    "want_quiet",
    "want_workspace",
    "wanted_on_host",
    "write_amount",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too, for its tables.
    if name == "blueprints":
        return import_module("app.tenancy.routes").blueprints
    raise AttributeError(name)
