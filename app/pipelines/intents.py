"""What pipelines ask of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent, LostLease


@dataclass(frozen=True, slots=True)
class ExecutePipeline(Intent):
    """Find the commit and start the stages; the job then waits, parked, until the last of them has ended."""

    kind: ClassVar[str] = "pipelines.execute"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 3

    execution_id: UUID


@dataclass(frozen=True, slots=True)
class PruneArtifacts(Intent):
    """Delete the artifacts whose retention has passed."""

    kind: ClassVar[str] = "pipelines.prune_artifacts"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class PruneCaches(Intent):
    """Delete the caches that nobody used for long, or that a workspace has no room for."""

    kind: ClassVar[str] = "pipelines.prune_caches"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class PruneDeliveries(Intent):
    """Forget the deliveries of code hosts that are older than history is kept."""

    kind: ClassVar[str] = "pipelines.prune_deliveries"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class RunSchedules(Intent):
    """Start the executions that are due by the clock."""

    kind: ClassVar[str] = "pipelines.run_schedules"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class StartFollowers(Intent):
    """Start the pipelines that follow an execution which ended as `status`."""

    kind: ClassVar[str] = "pipelines.start_followers"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 3

    execution_id: UUID
    status: str


@dataclass(frozen=True, slots=True)
class ReportStatus(Intent):
    """Tell a code host how an execution fares."""

    kind: ClassVar[str] = "pipelines.report_status"
    queue: ClassVar[str] = "default"
    max_attempts: ClassVar[int] = 10

    execution_id: UUID


@dataclass(frozen=True, slots=True)
class RunStage(Intent):
    """Check out and run the steps of one stage."""

    kind: ClassVar[str] = "pipelines.run_stage"
    queue: ClassVar[str] = "ci"
    on_lost_lease: ClassVar[LostLease] = "hold"
    # Its sandbox gives steps a moment to end, and their last lines are kept.
    cancel_seconds: ClassVar[float] = 1.6

    stage_id: UUID


@dataclass(frozen=True, slots=True)
class RunStageElsewhere(Intent):
    """Have a stage run by a runner with its labels, which takes the job from the API. A worker that gets it looks after
    the waiting: it says what is waited for, and gives up in the end."""

    kind: ClassVar[str] = "pipelines.run_stage_elsewhere"
    queue: ClassVar[str] = "runners"
    on_lost_lease: ClassVar[LostLease] = "hold"

    stage_id: UUID


@dataclass(frozen=True, slots=True)
class AwaitApproval(Intent):
    """Wait for somebody to approve a stage: due when the approval expires, and then it has failed."""

    kind: ClassVar[str] = "pipelines.await_approval"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 3

    stage_id: UUID


@dataclass(frozen=True, slots=True)
class AdmitDeployments(Intent):
    """Let the stage deploy to an environment whose turn it is."""

    kind: ClassVar[str] = "pipelines.admit_deployments"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 2
    max_attempts: ClassVar[int] = 10

    environment_id: UUID


@dataclass(frozen=True, slots=True)
class AdmitExecutions(Intent):
    """Let the executions of a concurrency group begin whose turn it is."""

    kind: ClassVar[str] = "pipelines.admit_executions"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 2
    max_attempts: ClassVar[int] = 10

    workspace_id: UUID
    group: str
