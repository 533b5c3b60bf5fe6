"""The folder in which a stage works: fresh for each attempt, gone after it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.kernel.errors import Permanent
from app.pipelines import Briefing
from app.pipelines.definition import Directories
from tasks.pipelines.gateways.sandbox import remove_tree

log = logging.getLogger(__name__)

BUILD, ARTIFACTS = ".build", ".artifacts"


class PlaceTaken(Permanent):
    """The repository has a file where Headrace keeps its own."""

    code = "PLACE_TAKEN"


@dataclass(frozen=True, slots=True)
class Workplace:
    """`root` is the workspace given to the sandbox; the checkout is the workspace itself."""

    root: Path

    def prepare(self) -> None:
        """Make the folders that steps find beside the source; git need not see them. Raises PlaceTaken."""
        exclude = self.root / ".git" / "info" / "exclude"
        for name in (BUILD, ARTIFACTS):
            if os.path.lexists(self.root / name):
                raise PlaceTaken(f"The repository has a file named {name}, which Headrace keeps for its own use.")
            (self.root / name).mkdir()
        exclude.parent.mkdir(exist_ok=True)
        with exclude.open("a") as rules:
            rules.write(f"/{BUILD}/\n/{ARTIFACTS}/\n")

    def seen_by_steps(self, at: PurePosixPath) -> Directories:
        """Return the folders as steps see them, whose workspace is at `at`."""
        return Directories(str(at), str(at / BUILD), str(at / ARTIFACTS))

    def relative(self, directory: str, at: PurePosixPath) -> str:
        """Return a folder that steps see, relative to the workspace at `at`."""
        return str(PurePosixPath(directory).relative_to(at))


@contextmanager
def open_workplace(workspaces: Path, briefing: Briefing) -> Iterator[Workplace]:
    """Make the folder, and remove it with all that the steps left in it."""
    home = workspaces / str(briefing.execution_id)
    for left in home.glob(f"{briefing.stage_id}.*"):
        # By an attempt whose worker was killed; should that one live after all, it has lost its lease.
        _remove(left)
    root = home / f"{briefing.stage_id}.{briefing.attempt}"
    root.mkdir(parents=True, exist_ok=True)
    try:
        yield Workplace(root)
    finally:
        _remove(root)


def _remove(root: Path) -> None:
    remove_tree(root)
    if root.exists():
        log.warning("a workspace could not be removed whole", extra={"path": str(root)})
    try:
        root.parent.rmdir()
    except OSError:
        log.debug("other stages of the execution are still at work")
