"""The source of a local run: the work tree as it is, less what git ignores, or a commit; with a history of its own.

Taken once, so that all stages see the same files whatever is edited meanwhile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.problem import Problem

# Set where a hook of git calls: git would use the caller's repository for the copy, and write to its index.
_OF_CALLER: Final = frozenset(
    (
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE"),
        *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH"),
    )
)


@dataclass(frozen=True, slots=True)
class Commit:
    """What is checked out: the full commit id, and the branch or the tag; both are empty elsewhere."""

    sha: str
    branch: str
    tag: str


@dataclass(frozen=True, slots=True)
class Git:
    """The git of this machine; `environment` is that of the program."""

    environment: Mapping[str, str]

    def find_top(self, place: Path) -> Path:
        """Return the root of the repository; raises Problem."""
        return Path(self._run(place, "rev-parse", "--show-toplevel").strip())

    def take_source(self, top: Path, into: Path, wanted: str | None) -> Commit:
        """Bring the work tree, or the commit `wanted`, into a folder that does not exist; raises Problem."""
        sha = self._find_commit(top, wanted or "HEAD")
        self._run(top, "clone", "--quiet", "--no-checkout", "--no-hardlinks", str(top), str(into))
        if wanted is not None:
            self._run(into, "checkout", "--quiet", "--detach", sha)
            return Commit(sha, "", "")
        self._copy_work_tree(top, into)
        self._run(into, "reset", "--quiet", sha)
        branch = self._run(top, "rev-parse", "--abbrev-ref", "HEAD").strip()
        return Commit(sha, "" if branch == "HEAD" else branch, "")

    def _find_commit(self, top: Path, name: str) -> str:
        try:
            commit = f"{name}^{{commit}}"
            return self._run(top, "rev-parse", "--verify", "--quiet", "--end-of-options", commit).strip()
        except Problem:
            raise Problem(f"the repository at {top} has no commit {name}") from None

    def _copy_work_tree(self, top: Path, into: Path) -> None:
        names = self._run(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        for name in dict.fromkeys(filter(None, names)):
            source, target = top / name, into / name
            if not os.path.lexists(source) or (source.is_dir() and not source.is_symlink()):
                continue  # deleted, or a submodule
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)

    def _run(self, place: Path, *arguments: str) -> str:
        command = ["git", "-C", str(place), *arguments]
        environment = {name: value for name, value in self.environment.items() if name not in _OF_CALLER}
        try:
            ended = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=environment)
        except FileNotFoundError:
            raise Problem("git is not installed") from None
        if ended.returncode:
            said = ended.stderr.decode(errors="replace").strip().splitlines()
            raise Problem(said[0] if said else f"git {arguments[0]} failed")
        return ended.stdout.decode(errors="surrogateescape")
