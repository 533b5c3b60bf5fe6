"""The whole platform on this machine, from an empty folder to ready and back."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from launcher.child import MARKER, Child
from launcher.embedded import EmbeddedPostgres, EmbeddedRedis
from launcher.embedded.server import EmbeddedServer
from launcher.environment import build_environment
from launcher.gates import readiness
from launcher.guard import guarded
from launcher.home import Home, Record, Run
from launcher.leftovers import stop_leftovers
from launcher.output import Console
from launcher.processes import Birth
from launcher.procfile import read_procfile
from launcher.supervisor import StartFailed, StopSignals, Supervisor

POSTGRES_PORT = 5432
REDIS_PORT = 6379
RELEASE = "release"


class Stack:
    """The processes of one Procfile, and the servers they need, with what they keep in `home`."""

    def __init__(self, procfile: Path, home: Home, console: Console, signals: StopSignals) -> None:
        self._commands = read_procfile(procfile)
        self._root = procfile.absolute().parent
        self._home = home
        self._console = console
        self._signals = signals
        self._marker = secrets.token_hex(8)
        self._servers: list[EmbeddedServer] = []
        self._supervisor = Supervisor(self._servers, console, changed=self._note)
        self._environment: dict[str, str] = {}
        self._ready = False

    @contextlib.contextmanager
    def running(self) -> Iterator[Supervisor]:
        """Starts everything and yields when it is ready; stops all of it on the way out.

        Raises AlreadyRunning, and LaunchError with what went wrong.
        """
        self._home.make()
        with self._home.lock(), guarded(self._home), self._home.run_dir() as run_dir:
            stop_leftovers(self._home, self._console)
            try:
                self._start_servers()
                self._start_processes(run_dir)
                yield self._supervisor
            finally:
                self._signals.begin_stop()
                self._home.run_file.unlink(missing_ok=True)
                self._console.say("Stopping: running work has 30 seconds to end (Ctrl-C again: at once)")
                self._supervisor.stop(self._signals.hurry)
                self._home.forget()
                self._console.say("Stopped")

    def _start_servers(self) -> None:
        if not os.environ.get("DATABASE_URL"):
            self._start_server(EmbeddedPostgres(self._home.folder / "postgres", POSTGRES_PORT, durable=True))
        if not os.environ.get("REDIS_URL"):
            self._start_server(EmbeddedRedis(self._home.folder / "redis", REDIS_PORT))

    def _start_server(self, server: EmbeddedServer) -> None:
        wish = server.port
        self._servers.append(server)
        server.start()
        self._note()
        self._console.say(f"{server.name} listens on port {server.port}{_other(wish, server.port)}")

    def _start_processes(self, run_dir: Path) -> None:
        urls = {type(server).url_name: server.url for server in self._servers}
        self._environment = build_environment(self._home.secrets(), self._home.data, run_dir, urls) | {
            MARKER: self._marker
        }
        children = {name: self._child(name, command) for name, command in self._commands.items()}
        self._console.expect(list(children))
        if release := children.pop(RELEASE, None):
            self._release(release)
        self._console.say(f"Starting {', '.join(children)}")
        self._supervisor.start(list(children.values()))
        self._supervisor.wait_until_ready(readiness(self._environment))
        self._ready = True
        self._note()

    def _child(self, name: str, command: str) -> Child:
        return Child(name, command, self._root, self._environment, self._home.logs / f"{name}.log")

    def _release(self, release: Child) -> None:
        self._console.say("Preparing the database")
        release.start(self._console)
        try:
            code = release.wait()
        finally:
            release.kill()
        if code:
            raise StartFailed(release, f"ended with exit code {code}", code)

    def _note(self) -> None:
        """Writes down what runs now; `run.json` only once all of it is ready."""
        births = self._supervisor.births()
        self._home.write_record(Record(self._marker, births))
        if self._ready:
            self._home.write_run(describe(self._environment, births))


def describe(environment: dict[str, str], births: dict[str, Birth]) -> Run:
    """Where everything is, as `run.json` tells it."""
    return {
        "api": environment["PUBLIC_URL"],
        "flower": environment["FLOWER_URL"],
        "database": environment["DATABASE_URL"],
        "redis": environment["REDIS_URL"],
        "admin": {"username": environment["ADMIN_USERNAME"], "password": environment["ADMIN_PASSWORD"]},
        "processes": {name: birth.pid for name, birth in births.items()},
    }


def _other(wish: int, got: int) -> str:
    return "" if wish == got else f" ({wish} is taken)"
