"""The whole platform as `make up` starts it, each process real, for tests that meet it from outside alone.

Nothing starts again by itself: a test kills a process and starts it when it wants to.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from launcher.child import MARKER, Child
from launcher.environment import build_environment
from launcher.gates import readiness
from launcher.output import Console
from launcher.ports import LOOPBACK, free_port
from launcher.processes import Birth
from launcher.procfile import read_procfile
from tests.support.servers import ROOT, Servers

PROCESSES = ("web", "stream", "worker-ci", "worker-interactive", "worker-default", "relay")
READY_SECONDS = 90.0
STOP_SECONDS = 10.0

# Short, so that what a lost process costs is paid in seconds.
SHORT = {
    "JOB_LEASE_SECONDS": "4",
    "RUNNER_LEASE_SECONDS": "15",
    "RELAY_INTERVAL_SECONDS": "0.5",
    "RELAY_RESEND_SECONDS": "3",
}
# Little, so that a step which takes too much is soon found out.
TIGHT = {"STEP_DISK_BYTES": str(64 * 1024**2), "STEP_PROCESSES": "100", "STEP_MEMORY_BYTES": str(512 * 1024**2)}
ROOMY = {
    "RATE_LIMIT_USER": "1000000/hour",
    "RATE_LIMIT_ANONYMOUS": "1000000/hour",
    "RATE_LIMIT_LOGIN": "1000/hour",
    "RATE_LIMIT_REGISTER": "1000/hour",
    "WEB_WORKERS": "2",
    "WORKER_CI_CONCURRENCY": "2",
    "WORKER_INTERACTIVE_CONCURRENCY": "1",
    "WORKER_DEFAULT_CONCURRENCY": "1",
}

Seen = TypeVar("Seen")


class Platform:
    """The processes by their names in the Procfile. Belongs to the main thread, as launcher.child asks."""

    def __init__(
        self, folder: Path, servers: Servers, commands: Mapping[str, str] | None = None, **changed: str
    ) -> None:
        """`commands` are processes by name, where they are not those of the Procfile; `changed` are variables."""
        self.servers = servers
        self.work_dir = folder / "data" / "work"
        run_dir = folder / "run"
        for part in (run_dir, folder / "data", folder / "logs"):
            part.mkdir()
        kept = {"secret_key": "a key of the tests, long enough to be one", "admin_password": "the first of all"}
        urls = {server.url_name: server.url for server in (servers.postgres, servers.redis)}
        environment = build_environment(kept, folder / "data", run_dir, urls)
        self.environment = (
            environment | _own_address() | {MARKER: secrets.token_hex(8)} | SHORT | TIGHT | ROOMY | changed
        )
        self.base = self.environment["PUBLIC_URL"]
        self._logs = folder / "logs"
        self._console = Console(quiet=True)
        self._gate = readiness(self.environment)
        procfile = read_procfile(ROOT / "Procfile")
        self._commands = procfile | dict(commands or {name: procfile[name] for name in PROCESSES})
        self._children = {name: self._child(name) for name in commands or PROCESSES}

    @property
    def names(self) -> tuple[str, ...]:
        """The processes, in the order of starting."""
        return tuple(self._children)

    @contextmanager
    def running(self) -> Iterator[Platform]:
        """Release, then start everything; stop it all in the end."""
        try:
            release = self._child("release")
            release.start(self._console)
            assert release.wait() == 0, "\n".join(release.tail)
            release._log.close()
            self.start(*self.names)
            yield self
        finally:
            self._stop()

    def start(self, *names: str) -> None:
        """Start processes that do not run, and wait until they are ready."""
        for name in names:
            self.launch(name)
        self.wait_until_ready(*names)

    def wait_until_ready(self, *names: str) -> None:
        """Wait for processes that were launched."""
        for name in names:
            child = self._children[name]
            wait_for(lambda child=child: not child.is_running or self._gate(child), READY_SECONDS)  # type: ignore[misc]
            assert child.is_running, f"{name} ended:\n" + "\n".join(child.tail)

    def launch(self, name: str) -> None:
        """Start a process that does not run, and wait for nothing."""
        self._children[name].start(self._console)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process itself."""
        os.kill(self.pid(name), number)

    def kill(self, name: str) -> None:
        """End a process as a crash does, and only it: what it had started is left to itself."""
        self.signal(name, signal.SIGKILL)
        self._children[name].wait()

    def restart(self, name: str) -> None:
        """Kill a process and start it again."""
        self.kill(name)
        self.start(name)

    def ensure(self) -> None:
        """Start what a test has left dead or stopped."""
        for name, child in self._children.items():
            if child.is_running:
                self.signal(name, signal.SIGCONT)
            else:
                self.start(name)

    def is_running(self, name: str) -> bool:
        """Tell whether a process runs."""
        return self._children[name].is_running

    def pid(self, name: str) -> int:
        """Return the process id."""
        birth = self._children[name].birth
        assert birth, f"{name} does not run"
        return birth.pid

    def log(self, name: str) -> str:
        """Return what a process has said since its first start."""
        path = self._logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _child(self, name: str) -> Child:
        return Child(name, self._commands[name], ROOT, self.environment, self._logs / f"{name}.log")

    def _stop(self) -> None:
        children = list(self._children.values())
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_running for child in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in children:
            child.kill()
            child._log.close()


def _own_address() -> dict[str, str]:
    """A port that no other test run on this machine wishes for as well."""
    port = str(free_port())
    return {"HOST": LOOPBACK, "PORT": port, "PUBLIC_URL": f"http://{LOOPBACK}:{port}"}


@contextmanager
def started_platform(folder: Path) -> Iterator[Platform]:
    """Start a platform on servers of its own: a test may kill them."""
    servers = Servers.started()
    try:
        with Platform(folder, servers).running() as platform:
            yield platform
    finally:
        servers.stop()


def wait_for(look: Callable[[], Seen], seconds: float = 20.0) -> Seen:
    """Return what `look` sees as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
    return seen


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def running_with(word: str) -> list[Birth]:
    """Return the processes that have `word` in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and word.encode() in (folder / "cmdline").read_bytes():
                found.append(Birth.of(int(folder.name)))
        except OSError:
            continue
    return [birth for birth in found if birth is not None and birth.pid != os.getpid()]
