"""Where steps run: in namespaces by bubblewrap where that works, else as plain processes; both under limits."""

from tasks.pipelines.gateways.sandbox.base import (
    EnvironmentRefused,
    Limits,
    Sandbox,
    SandboxFailed,
    SandboxUnavailable,
    StepCommand,
    StepOutcome,
    WorkingDirectoryRefused,
)
from tasks.pipelines.gateways.sandbox.choose import choose_sandbox
from tasks.pipelines.gateways.sandbox.scratch import remove_tree

__all__ = [
    "EnvironmentRefused",
    "Limits",
    "Sandbox",
    "SandboxFailed",
    "SandboxUnavailable",
    "StepCommand",
    "StepOutcome",
    "WorkingDirectoryRefused",
    "choose_sandbox",
    "remove_tree",
]
