"""What can go wrong with pipelines and their executions."""

from __future__ import annotations

from app.kernel.errors import Conflict, Forbidden, HeadraceError, Permanent


class IllegalMove(Conflict):
    """The execution is not in a state that allows this."""


class WorkspaceNotReady(Conflict):
    """The workspace has no repository to run pipelines of."""

    code = "WORKSPACE_NOT_READY"


class StageFailed(Permanent):
    """A step of the stage failed."""

    code = "STAGE_FAILED"


class StageTimedOut(Permanent):
    """The stage outlived its timeout."""

    code = "STAGE_TIMED_OUT"


class RunnerAwaitedInVain(Permanent):
    """No runner with the stage's labels took it in time."""

    code = "NO_RUNNER"


class ApprovalRejected(Permanent):
    """Somebody who may approve the stage rejected it."""

    code = "APPROVAL_REJECTED"


class ApprovalExpired(Permanent):
    """Nobody approved the stage in time."""

    code = "APPROVAL_EXPIRED"


class DeploymentRefused(Permanent):
    """The environment does not take deployments of this run."""

    code = "DEPLOYMENT_REFUSED"


class IncludeInvalid(Permanent):
    """A file that the pipeline includes is not valid."""

    code = "INCLUDE_INVALID"


class NotAnApprover(Forbidden):
    """Others are to decide on this stage."""

    code = "NOT_AN_APPROVER"


class ConditionInvalid(Permanent):
    """A condition cannot be evaluated."""

    code = "CONDITION_INVALID"


class ExecutionFailed(HeadraceError):
    """A stage of the execution failed."""

    code = "EXECUTION_FAILED"


class ExecutionTimedOut(HeadraceError):
    """The execution outlived its timeout."""

    code = "EXECUTION_TIMED_OUT"
