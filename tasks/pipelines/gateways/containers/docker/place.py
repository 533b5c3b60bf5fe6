"""Where an engine is and how it sees this machine's folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.pipelines.gateways.containers.base import Check
from tasks.pipelines.gateways.containers.docker.engine import Engine, EngineFacts


@dataclass(frozen=True, slots=True)
class Place:
    """One engine. `workspaces` is the folder of all checkouts, `seen_workspaces` the same folder as the engine has it,
    where that is another path: with the engine outside of the worker's own container."""

    address: str
    facts: EngineFacts
    workspaces: Path
    seen_workspaces: Path | None = None
    scratch: Path | None = None
    step_uid: int | None = None
    extra_read_only: Sequence[Path] = ()

    def connect(self, check: Check = lambda: None) -> Engine:
        """Return the API for one thread."""
        return Engine(self.address, check, self.facts.api)

    def seen(self, path: Path) -> str:
        """Return a folder's path as the engine has it."""
        if self.seen_workspaces is None or not path.is_relative_to(self.workspaces):
            return str(path)
        return str(self.seen_workspaces / path.relative_to(self.workspaces))
