"""A runner's folder: whose runner it is, how it does, and where it works. Nobody else may read it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from cli.problem import Problem

STALE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this runner is at its platform. The token opens the platform as this runner, and nothing else."""

    url: str
    id: str
    name: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Health:
    """How a runner does: `connected` is None before its first answer; `seen_at` is in epoch seconds."""

    pid: int
    connected: bool | None
    draining: bool
    jobs: list[str]
    done: int
    fault: str | None
    seen_at: float


class Home:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def work(self) -> Path:
        """Where checkouts live while a stage runs."""
        return self.folder / "work"

    def prepare(self) -> None:
        """Make the folder, closed to others."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def keep_identity(self, identity: Identity) -> None:
        """Keep who this runner is."""
        self.prepare()
        self._write("runner.json", asdict(identity))

    def identity(self) -> Identity:
        """Return who this runner is; raises Problem."""
        try:
            return Identity(**json.loads((self.folder / "runner.json").read_text()))
        except FileNotFoundError:
            raise Problem(f"there is no runner in {self.folder}; make it one: headrace runner register") from None
        except (ValueError, TypeError, OSError) as error:
            raise Problem(f"{self.folder}/runner.json cannot be read: {type(error).__name__}") from None

    def forget_identity(self) -> None:
        """Forget who this runner was."""
        (self.folder / "runner.json").unlink(missing_ok=True)

    def tell_health(self, health: Health) -> None:
        """Let `headrace runner status` know."""
        self._write("health.json", asdict(health))

    def health(self) -> Health | None:
        """Return how the runner said it did last, or None where it never ran."""
        try:
            return Health(**json.loads((self.folder / "health.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for this process alone; raises Problem where another runs."""
        self.prepare()
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Problem(f"a runner is at work in {self.folder} already") from None
            yield

    def _write(self, name: str, said: dict[str, Any]) -> None:
        """Write a file whole or not at all, for its owner's eyes alone."""
        beside = self.folder / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(said, file)
        beside.replace(self.folder / name)


def is_well(health: Health | None) -> bool:
    """Tell whether a runner runs, and reaches its platform."""
    if health is None or time.time() - health.seen_at > STALE_SECONDS or not health.connected:
        return False
    try:
        os.kill(health.pid, 0)
    except OSError:
        return False
    return True
