"""What can go wrong with pipelines and their executions."""

from __future__ import annotations

from app.kernel.errors import Conflict, HeadraceError, Permanent


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


class ConditionInvalid(Permanent):
    """A condition cannot be evaluated."""

    code = "CONDITION_INVALID"


class ExecutionFailed(HeadraceError):
    """A stage of the execution failed."""

    code = "EXECUTION_FAILED"


class ExecutionTimedOut(HeadraceError):
    """The execution outlived its timeout."""

    code = "EXECUTION_TIMED_OUT"
