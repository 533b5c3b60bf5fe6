"""What tenancy asks of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class _OfProvisioning(Intent):
    """What concerns an operation."""

    queue: ClassVar[str] = "clusters"

    provisioning_id: UUID


@dataclass(frozen=True, slots=True)
class ProvisionWorkspace(_OfProvisioning):
    """Give a workspace its place on a cluster."""

    kind: ClassVar[str] = "workspaces.provision"


@dataclass(frozen=True, slots=True)
class ChangeWorkspace(_OfProvisioning):
    """Suspend, resume or upgrade a workspace, or give it the quota of another plan."""

    kind: ClassVar[str] = "workspaces.change"


@dataclass(frozen=True, slots=True)
class DeleteWorkspace(_OfProvisioning):
    """Take a workspace off its cluster, then delete it."""

    kind: ClassVar[str] = "workspaces.delete"


@dataclass(frozen=True, slots=True)
class ProvisionProject(_OfProvisioning):
    """Give a project its namespace."""

    kind: ClassVar[str] = "projects.provision"


@dataclass(frozen=True, slots=True)
class ChangeProject(_OfProvisioning):
    """Give a project another quota or other labels."""

    kind: ClassVar[str] = "projects.change"


@dataclass(frozen=True, slots=True)
class DeleteProject(_OfProvisioning):
    """Take a project off its cluster, then delete it."""

    kind: ClassVar[str] = "projects.delete"


@dataclass(frozen=True, slots=True)
class UndoProvisioning(_OfProvisioning):
    """Take back what an operation that did not succeed has done."""

    kind: ClassVar[str] = "provisionings.undo"
    max_attempts: ClassVar[int] = 10


@dataclass(frozen=True, slots=True)
class SyncMembers(Intent):
    """Let those into a workspace's namespaces who are its members now, and nobody else."""

    kind: ClassVar[str] = "workspaces.sync_members"
    queue: ClassVar[str] = "clusters"
    priority: ClassVar[int] = 3
    max_attempts: ClassVar[int] = 10

    workspace_id: UUID


@dataclass(frozen=True, slots=True)
class IssueKubeconfig(Intent):
    """Fetch a short-lived token for a member of a workspace, who waits for it."""

    kind: ClassVar[str] = "workspaces.issue_kubeconfig"
    queue: ClassVar[str] = "clusters"
    priority: ClassVar[int] = 2

    workspace_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class ReconcileSpaces(Intent):
    """Ask for a look at every cluster that workspaces have a place on."""

    kind: ClassVar[str] = "spaces.reconcile_all"
    queue: ClassVar[str] = "default"


@dataclass(frozen=True, slots=True)
class PruneSpaces(Intent):
    """Forget operations, repairs and kubeconfigs that are kept long enough."""

    kind: ClassVar[str] = "spaces.prune"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class ReconcileHost(Intent):
    """Hold what is on a cluster against what has to be there, repair it, and note what is used."""

    kind: ClassVar[str] = "spaces.reconcile"
    queue: ClassVar[str] = "clusters"
    priority: ClassVar[int] = 8
    max_attempts: ClassVar[int] = 1

    host_id: UUID
