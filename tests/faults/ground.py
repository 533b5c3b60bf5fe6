"""The ground of a run: the platform with the harness's work on servers of its own, and a supervisor that starts again
what died, as a user's does."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import create_engine

from launcher.child import MARKER
from launcher.embedded.server import EmbeddedServer
from launcher.processes import Birth, carrying
from launcher.procfile import read_procfile
from tests.faults.disk import LogDisk
from tests.faults.room.ledger import LedgerBase
from tests.support.platform import Platform, children_of
from tests.support.servers import ROOT, Servers

# What an orchestrator waits for a process that it has told to stop.
PATIENCE_SECONDS = 30.0
VARIABLES = {
    "ACCESS_TOKEN_SECONDS": "86400",
    "JOB_STOP_SECONDS": "3",
    "WORKER_CI_CONCURRENCY": "3",
    "WORKER_DEFAULT_CONCURRENCY": "2",
}


def commands(skew: int) -> dict[str, str]:
    """Return the Procfile's commands with the harness's applications, and a worker whose clock is `skew` off."""
    names = ("web", "stream", "worker-ci", "worker-default", "relay", "beat")
    procfile = read_procfile(ROOT / "Procfile")
    own = {name: _with_room(procfile[name]) for name in names}
    # One set of processes for both queues: the machine's cores are for the faults.
    own["worker-default"] = own["worker-default"].replace("--queues default", "--queues interactive,default")
    skewed = own["worker-default"].replace("default@%h", "skewed@%h")
    return own | {"worker-skewed": f"env FAULTS_CLOCK_SKEW={skew} {skewed}"}


def _with_room(command: str) -> str:
    return command.replace("workers.celery_app", "tests.faults.room.celery_app").replace(
        "wsgi:app", "tests.faults.room.wsgi:app"
    )


class Ground:
    """The platform under faults. Belongs to the main thread, as launcher.child asks."""

    def __init__(self, platform: Platform, disk: LogDisk) -> None:
        self.platform = platform
        self.disk = disk
        self.deaths: Counter[str] = Counter()
        self.stuck: list[str] = []
        self._to_deploy: list[str] = []
        self._asked: dict[str, float] = {}

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, processes: Mapping[str, str], **changed: str) -> Iterator[Ground]:
        """Start servers and the platform's processes; stop and remove all of it in the end."""
        servers = Servers.started()
        try:
            engine = create_engine(servers.postgres.url)
            LedgerBase.metadata.create_all(engine)
            engine.dispose()
            with LogDisk.opened(folder / "disk") as disk:
                platform = Platform(folder, servers, processes, **({"LOG_STORE_URL": disk.url} | VARIABLES | changed))
                with platform.running():
                    yield cls(platform, disk)
        finally:
            servers.stop()

    @property
    def servers(self) -> dict[str, EmbeddedServer]:
        """PostgreSQL and Redis by name."""
        return {"postgres": self.platform.servers.postgres, "redis": self.platform.servers.redis}

    def tick(self) -> None:
        """Start again what has ended; let a deploy go on; kill what was told to stop and does not."""
        for name in self.platform.names:
            if not self.platform.is_running(name):
                self.deaths[name] += 1
                self._asked.pop(name, None)
                self.platform.launch(name)
            elif time.monotonic() - self._asked.get(name, time.monotonic()) > PATIENCE_SECONDS:
                self._give_up(name)
        if self._to_deploy and not self._asked:
            self.ask_to_stop(self._to_deploy.pop(0))

    def _give_up(self, name: str) -> None:
        """Kill a process that was told to stop and does not; what it was doing is in its log."""
        self.stuck.append(name)
        if name.startswith("worker"):
            send(self.family(name), signal.SIGUSR2)
            time.sleep(0.5)
        self.platform.kill(name)

    def ask_to_stop(self, name: str) -> None:
        """Tell a process to stop; it is started again when it has."""
        self._asked.setdefault(name, time.monotonic())
        with suppress(ProcessLookupError, AssertionError):
            self.platform.signal(name, signal.SIGTERM)

    def deploy(self) -> None:
        """Stop and start all processes, one after the other."""
        self._to_deploy += [name for name in self.platform.names if name not in self._to_deploy]

    @property
    def is_deploying(self) -> bool:
        """Whether a deploy goes on."""
        return bool(self._to_deploy or self._asked)

    def family(self, name: str) -> list[Birth]:
        """Return a process and its children."""
        with suppress(OSError, AssertionError):
            pid = self.platform.pid(name)
            return [birth for each in (pid, *children_of(pid)) if (birth := Birth.of(each))]
        return []

    def heal(self) -> None:
        """Let everything run: servers, disk and processes; returns when all of it is ready."""
        self.disk.free()
        for server in self.servers.values():
            server.start()
        while self.is_deploying:
            self.tick()
            time.sleep(0.1)
        self.platform.ensure()
        self.platform.wait_until_ready(*self.platform.names)

    def lose_redis(self) -> None:
        """Delete what Redis has on its disk."""
        shutil.rmtree(self.platform.servers.redis.directory / "appendonlydir", ignore_errors=True)

    def carriers(self) -> list[Birth]:
        """Return the processes of this platform that are left, by the mark they inherited."""
        token = self.platform.environment[MARKER]
        return [birth for name in self.platform.names for birth in carrying(f"{MARKER}={token}/{name}")]


def send(births: list[Birth], number: signal.Signals) -> None:
    """Send a signal to processes that still are who they were."""
    for birth in births:
        if birth.is_alive():
            with suppress(ProcessLookupError):
                os.kill(birth.pid, number)
