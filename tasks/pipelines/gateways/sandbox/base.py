"""What a sandbox is: it runs one script in a workspace under limits, passes on its output, and says how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from app.kernel.errors import Permanent, Transient

Stream = Literal["stdout", "stderr", "system"]
"""Where output comes from; `system` is the sandbox itself."""
Ending = Literal["exited", "signalled", "timed_out", "cancelled", "out_of_memory", "disk_full"]
OnOutput = Callable[[Stream, bytes], None]
ShouldStop = Callable[[], bool]

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SandboxUnavailable(Permanent):
    """The sandbox asked for does not work on this machine."""

    code = "SANDBOX_UNAVAILABLE"


class SandboxFailed(Transient):
    """The sandbox could not start the step."""

    code = "SANDBOX_FAILED"


class WorkingDirectoryRefused(Permanent):
    """The working directory is not a directory inside the workspace."""

    code = "WORKING_DIRECTORY_REFUSED"


class EnvironmentRefused(Permanent):
    """The name or value of an environment variable cannot be given to a process."""

    code = "ENVIRONMENT_REFUSED"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a step may take; None is no limit. `disk_bytes` covers workspace, /tmp and home together."""

    seconds: float
    cpus: float | None = None
    memory_bytes: int | None = None
    file_bytes: int | None = None
    disk_bytes: int | None = None
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class StepCommand:
    """One script to run. `environment` is all it gets, beside PATH, HOME and TMPDIR where it does not set them.

    It may hold secrets, so it is not shown with the rest. An `image` has variables of its own, and an engine adds some.
    """

    script: str
    workspace: Path
    working_directory: str
    environment: Mapping[str, str] = field(repr=False)
    limits: Limits
    network: bool
    grace_seconds: float = 5
    image: str | None = None


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How a step ended.

    `exit_code` is what the shell reported, 128 + n after signal n; it is None when the step was stopped before it ended
    by itself. `signal` is set with "signalled". `peak_memory_bytes` is the largest resident size seen of the whole step
    or of one of its processes; `cpu_seconds` counts processes that were waited for. `sandbox` names the isolation and
    what held the limits, such as "bubblewrap+cgroup1".
    """

    ended: Ending
    exit_code: int | None
    signal: int | None
    duration_seconds: float
    peak_memory_bytes: int | None
    cpu_seconds: float | None
    sandbox: str


class Sandbox(Protocol):
    """Runs steps. `facts` tells a health page what isolates and limits them here, and why it was chosen."""

    name: str
    facts: Mapping[str, str]

    def workspace_path(self, workspace: Path, /) -> PurePosixPath:
        """The path at which the step sees its workspace."""
        ...

    def run(self, command: StepCommand, on_output: OnOutput, should_stop: ShouldStop) -> StepOutcome:
        """Run to the end, calling `on_output` with raw chunks as they appear, and leave no process behind.

        Call it from a thread that outlives the step: the kernel kills the step when the calling thread ends.
        Raises SandboxFailed, WorkingDirectoryRefused or EnvironmentRefused when the step could not start.
        """
        ...


def locate_working_directory(workspace: Path, working_directory: str) -> Path:
    """The real path of a directory inside the workspace; symbolic links that leave it are refused."""
    root = workspace.resolve()
    if "\0" in working_directory:
        raise WorkingDirectoryRefused
    try:
        directory = (root / working_directory).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise WorkingDirectoryRefused(f"There is no directory {working_directory!r} in the workspace.") from error
    if not directory.is_relative_to(root) or not directory.is_dir() or os.path.isabs(working_directory):
        raise WorkingDirectoryRefused(f"{working_directory!r} is not a directory inside the workspace.")
    return directory


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse what execve or a shell would read as something else; values are never quoted in the error."""
    for name, value in environment.items():
        if not (name.isascii() and name.isidentifier()):
            raise EnvironmentRefused(f"{name!r} is not a name for an environment variable.")
        if "\0" in value:
            raise EnvironmentRefused(f"The value of {name} holds a NUL character.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise EnvironmentRefused(f"The value of {name} is not text.") from None
