"""What workers do for workspaces and projects on clusters."""

from __future__ import annotations

from typing import Any

from app.jobs import Run
from app.tenancy import (
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
    forget_expired_kubeconfigs,
    forget_many_repairs,
    forget_operations,
    forget_repairs,
)
from tasks.forgetting import forget_all
from tasks.handling import handles
from tasks.tenancy.members import issue_kubeconfig, sync_members
from tasks.tenancy.reconcile import ask_for_all, reconcile_host
from tasks.tenancy.turns import operate, undo
from tasks.tools import Tools

_Operation = ProvisionWorkspace | ChangeWorkspace | DeleteWorkspace | ProvisionProject | ChangeProject | DeleteProject


@handles(ProvisionWorkspace)
@handles(ChangeWorkspace)
@handles(DeleteWorkspace)
@handles(ProvisionProject)
@handles(ChangeProject)
@handles(DeleteProject)
def do_operation(run: Run, intent: _Operation, tools: Tools) -> dict[str, Any] | None:
    """Do an operation, as far as it gets."""
    return operate(run, intent.provisioning_id, tools)


@handles(UndoProvisioning)
def undo_operation(run: Run, intent: UndoProvisioning, tools: Tools) -> dict[str, Any] | None:
    """Take back what an operation has done, as far as that gets."""
    return undo(run, intent.provisioning_id, tools)


@handles(SyncMembers)
def let_members_in(run: Run, intent: SyncMembers, tools: Tools) -> dict[str, Any] | None:
    """Let the members of a workspace in, and nobody else."""
    return sync_members(run, intent.workspace_id, tools)


@handles(IssueKubeconfig)
def fetch_kubeconfig(run: Run, intent: IssueKubeconfig, tools: Tools) -> dict[str, Any]:
    """Fetch a token for a member."""
    return issue_kubeconfig(run, intent.workspace_id, intent.user_id, tools)


@handles(ReconcileSpaces)
def reconcile_all(run: Run, _: ReconcileSpaces, __: Tools) -> dict[str, Any]:
    """Ask for a look at each cluster."""
    return ask_for_all(run)


@handles(PruneSpaces)
def prune_spaces(run: Run, _: PruneSpaces, tools: Tools) -> dict[str, Any]:
    """Forget what is kept long enough."""
    return {
        "operations": forget_all(run, lambda session: forget_operations(session, tools.provisioning_days)),
        "repairs": forget_all(run, lambda session: forget_repairs(session, tools.provisioning_days)),
        "many_repairs": forget_all(run, forget_many_repairs),
        "kubeconfigs": forget_all(run, forget_expired_kubeconfigs),
    }


@handles(ReconcileHost)
def reconcile_one(run: Run, intent: ReconcileHost, tools: Tools) -> dict[str, Any]:
    """Look at a cluster."""
    return reconcile_host(run, intent.host_id, tools)
