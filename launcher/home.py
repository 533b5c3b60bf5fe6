"""The folder `.headrace`: what the platform on this machine keeps between starts, for its owner only."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

from launcher.files import write_private
from launcher.processes import Birth, LaunchError

# A Unix socket's address holds 108 bytes, some of which belong to the socket's own name.
LONGEST_RUN_DIR = 80


class AlreadyRunning(LaunchError):
    """Headrace is already running."""


@dataclass(frozen=True)
class Record:
    """What must be stopped should the launcher itself be killed: what runs, and how to tell its offspring."""

    marker: str
    processes: dict[str, Birth]


class Admin(TypedDict):
    """The first administrator, whose login is Flower's too."""

    username: str
    password: str


class Run(TypedDict):
    """The content of `run.json`: addresses, with the passwords they need, and pids by process name."""

    api: str
    flower: str
    database: str
    redis: str
    admin: Admin
    processes: dict[str, int]


class Home:
    """The folder's files and what is in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.logs = self.folder / "logs"
        self.data = self.folder / "data"
        self.run_file = self.folder / "run.json"
        self._record_file = self.folder / "processes.json"
        self._lock_file = self.folder / "lock"
        self._secrets_file = self.folder / "secrets"

    def make(self) -> None:
        """Makes the folder, closed to other users. Raises LaunchError where it cannot be."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in (self.logs, self.data):
                part.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LaunchError(f"cannot write to {self.folder}: {error.strerror}") from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise LaunchError(f"cannot write to {self.folder}: it belongs to another user")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a launcher works in this folder, released by the kernel when it dies. Raises AlreadyRunning."""
        with self._lock_file.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning from None
            file.truncate(0)
            file.write(json.dumps(asdict(Birth.me())))
            file.flush()
            yield

    def holder(self) -> Birth | None:
        """The launcher that works in this folder, if there is one."""
        try:
            birth = Birth(**json.loads(self._lock_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return birth if birth.is_alive() else None

    def is_new(self) -> bool:
        """True until the first start has made the secrets."""
        return not self._secrets_file.exists()

    def secrets(self) -> dict[str, str]:
        """The secrets of this installation by name, made at the first start."""
        if self.is_new():
            made = {"secret_key": secrets.token_urlsafe(48), "admin_password": secrets.token_urlsafe(15)}
            write_private(self._secrets_file, json.dumps(made))
        kept: dict[str, str] = json.loads(self._secrets_file.read_text())
        return kept

    @contextlib.contextmanager
    def run_dir(self) -> Iterator[Path]:
        """A folder for sockets: in this one, or a short path under /tmp where this one's is too long for a socket."""
        folder = self.folder / "run"
        if len(os.fsencode(folder)) > LONGEST_RUN_DIR:
            folder = Path(tempfile.mkdtemp(prefix="headrace-"))
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def write_run(self, run: Run) -> None:
        """Tells, in `run.json`, where everything is; it is there while the platform is ready."""
        write_private(self.run_file, json.dumps(run, indent=2) + "\n")

    def read_run(self) -> Run | None:
        """The content of `run.json`, None while the platform is not ready."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            run: Run = json.loads(self.run_file.read_text())
            return run
        return None

    def write_record(self, record: Record) -> None:
        """Notes what runs, for the start after a launcher that could not clean up."""
        write_private(self._record_file, json.dumps(asdict(record)))

    def read_record(self) -> Record | None:
        """What the last launcher noted; None when it cleaned up."""
        try:
            noted = json.loads(self._record_file.read_text())
            processes = {name: Birth(**birth) for name, birth in noted["processes"].items()}
            return Record(noted["marker"], processes)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def forget(self) -> None:
        """Takes away `run.json` and the record: nothing runs any more."""
        self.run_file.unlink(missing_ok=True)
        self._record_file.unlink(missing_ok=True)
