"""What pipelines announce."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.events import Event


@dataclass(frozen=True, slots=True)
class _OfWorkspace(Event):
    workspace_id: UUID
    pipeline_id: UUID

    def topics(self) -> Iterable[str]:
        """Return the workspace's topic."""
        return (f"workspace:{self.workspace_id}",)


@dataclass(frozen=True, slots=True)
class PipelineCreated(_OfWorkspace):
    """A pipeline was created."""

    type: ClassVar[str] = "pipeline.created"

    name: str


@dataclass(frozen=True, slots=True)
class PipelineUpdated(_OfWorkspace):
    """A pipeline's definition was replaced."""

    type: ClassVar[str] = "pipeline.updated"

    name: str


@dataclass(frozen=True, slots=True)
class PipelineDeleted(_OfWorkspace):
    """A pipeline was deleted with its executions."""

    type: ClassVar[str] = "pipeline.deleted"

    name: str


@dataclass(frozen=True, slots=True)
class ExecutionStarted(_OfWorkspace):
    """The first stage of an execution may run."""

    type: ClassVar[str] = "execution.started"

    execution_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class ApprovalRequested(_OfWorkspace):
    """A stage waits for somebody to let it run."""

    type: ClassVar[str] = "pipeline.approval_requested"

    execution_id: UUID
    number: int
    stage: str
    approvers: tuple[str, ...]
    expires_at: str


@dataclass(frozen=True, slots=True)
class ExecutionFinished(_OfWorkspace):
    """An execution has ended."""

    type: ClassVar[str] = "execution.finished"

    execution_id: UUID
    number: int
    status: str
