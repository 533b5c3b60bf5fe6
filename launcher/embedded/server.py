"""What the embedded servers have in common: a directory, a password, a port that may be taken, a start and a stop."""

import importlib.util
import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from launcher.files import rotate, write_private
from launcher.ports import free_port
from launcher.processes import LaunchError, stop

START_SECONDS = 60.0
LOG_BYTES = 1_000_000


class ServerFailed(LaunchError):
    """An embedded server did not start."""


class EmbeddedServer:
    """One server process and its directory; as a context manager it starts and stops.

    `port` is a wish (0: none): when it is taken another one is used, and kept for the next start of this object.
    """

    name: str
    url_name: str
    stop_signals: tuple[tuple[signal.Signals, float], ...]

    def __init__(self, directory: Path | str, port: int = 0) -> None:
        self.directory = Path(directory).resolve()
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address with its password, as DATABASE_URL and REDIS_URL take it."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """The file with what the server says."""
        return self.directory / f"{self.name.lower()}.log"

    @property
    def password(self) -> str:
        """Made by the first start and kept in the directory, so that the address stays the same."""
        return (self.directory / "password").read_text()

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Returns once the server answers. Raises ServerFailed with the last lines of its log."""
        if self.pid:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.directory / "password").exists():
            write_private(self.directory / "password", secrets.token_urlsafe(24))
        self._prepare()
        deadline = time.monotonic() + START_SECONDS
        while not self._start_once(deadline):
            time.sleep(0.1)

    def stop(self) -> None:
        """Stops the server in good order, harder when it does not listen; one that does not run is fine."""
        if self._process:
            stop(self._process, self.stop_signals)

    def kill(self) -> None:
        """Ends the server as a power cut would."""
        if self._process:
            stop(self._process, ())

    def _start_once(self, deadline: float) -> bool:
        self.port = free_port(self.port)
        heard = rotate(self.log, LOG_BYTES)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.directory,
                env=bare_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while self.pid and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.02)
        self.stop()
        said = self.log.read_bytes()[heard:].decode(errors="replace")
        # The port was taken after our look, or the shared memory of a killed predecessor is not yet free.
        if "in use" in said and time.monotonic() < deadline:
            return False
        raise ServerFailed(f"{self.name} did not start: {last_words(said)} (its log: {self.log})")

    def _prepare(self) -> None:
        """Brings the directory into the state that the server starts from."""
        raise NotImplementedError

    def _command(self) -> list[str]:
        """The command line; everyone on the machine can read it, so no secret is in it."""
        raise NotImplementedError

    def _answers(self) -> bool:
        """True once the server takes our password and does its work."""
        raise NotImplementedError


def package_folder(package: str) -> Path:
    # Found, not imported: both packages do work of their own on import (folders under HOME, client libraries).
    found = importlib.util.find_spec(package)
    if not found or not found.submodule_search_locations:
        raise ServerFailed(f"the Python package {package} is missing: run `make venv`")
    return Path(found.submodule_search_locations[0])


def bare_environment() -> dict[str, str]:
    # Nothing of the caller's: PG* and LC_* variables would change what the servers do.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def last_words(said: str) -> str:
    return " / ".join(line.strip() for line in said.strip().splitlines()[-3:]) or "it said nothing"
