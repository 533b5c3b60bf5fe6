"""Running git: one process group per command, watched while it runs and gone when it has ended."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tasks.pipelines.gateways.base import RepositoryUnreachable
from tasks.pipelines.gateways.git.bounds import POLL_SECONDS, Bounds
from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH

MOST_OUTPUT = 4 * 1024 * 1024
MOST_ERRORS = 16 * 1024
MOST_MEMORY = 2 * 1024**3


class GitFailed(Exception):
    """Git ended with an error; `said` is the end of what it wrote to its standard error."""

    def __init__(self, exit_code: int, said: str) -> None:
        super().__init__(said)
        self.exit_code = exit_code
        self.said = said


class Git:
    """Git as it runs for one piece of work. `home` holds its configuration and takes its output."""

    def __init__(self, home: Path, environment: Mapping[str, str], bounds: Bounds) -> None:
        self._home = home
        self._environment = environment
        self._bounds = bounds

    def run(self, *arguments: str, directory: Path | None = None) -> bytes:
        """Run git to its end and return what it printed, cut at 4 MiB.

        Raises GitFailed, RepositoryUnreachable when there is no git, and what the bounds raise.
        """
        with (self._home / "output").open("w+b") as output, (self._home / "errors").open("w+b") as errors:
            code = self._run(arguments, (directory or self._home).resolve(), output, errors)
            if code == -signal.SIGXFSZ:
                raise self._bounds.excess()
            if code != 0:
                self._bounds.refuse_excess()
                raise GitFailed(code, _tail(errors))
            output.seek(0)
            return output.read(MOST_OUTPUT)

    def _run(self, arguments: Sequence[str], directory: Path, output: BinaryIO, errors: BinaryIO) -> int:
        self._bounds.keep()
        process = subprocess.Popen(
            [*_dying_with_us(), _find_git(), *arguments],
            cwd=directory,
            # Git looks for a repository here alone: one that a stranger left in a folder above would configure it.
            env={**self._environment, "GIT_CEILING_DIRECTORIES": str(directory.parent)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            _limit(process.pid, self._bounds.max_bytes)
            self._watch(process.pid)
        finally:
            # Before it is reaped, as until then nobody else can get its number.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode

    def _watch(self, pid: int) -> None:
        """Wait for the end, without reaping."""
        ended = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(ended, select.POLLIN)
            while not poll.poll(POLL_SECONDS * 1000):
                self._bounds.keep()
        finally:
            os.close(ended)


def _limit(pid: int, max_bytes: int) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: max_bytes,
        # Against trees that unfold without end. RLIMIT_AS was rejected: git maps its packs whole.
        resource.RLIMIT_DATA: MOST_MEMORY,
    }
    for kind, amount in limits.items():
        # It may have ended already, or be held to less.
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, kind, (amount, amount))


def _find_git() -> str:
    git = shutil.which("git", path=SYSTEM_PATH)
    if git is None:
        raise RepositoryUnreachable("git is not installed on this worker.")
    return git


def _dying_with_us() -> list[str]:
    """The kernel kills git when the thread that started it ends.

    Git's own children then find their pipes closed; one that waits for a silent server gives up by `http.lowSpeedTime`.
    """
    setpriv = shutil.which("setpriv", path=SYSTEM_PATH)
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _tail(errors: BinaryIO) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - MOST_ERRORS))
    return errors.read(MOST_ERRORS).decode(errors="replace")
