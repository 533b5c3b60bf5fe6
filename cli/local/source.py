"""The source of a local run: the work tree as it is, less what git ignores, or a commit; with a history of its own.

Taken once, so that all stages see the same files whatever is edited meanwhile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cli.problem import Problem


@dataclass(frozen=True, slots=True)
class Commit:
    """What is checked out: the full commit id, and the branch or the tag; both are empty elsewhere."""

    sha: str
    branch: str
    tag: str


def find_top(place: Path) -> Path:
    """Return the root of the repository; raises Problem."""
    return Path(_git(place, "rev-parse", "--show-toplevel").strip())


def take_source(top: Path, into: Path, wanted: str | None) -> Commit:
    """Bring the work tree, or the commit `wanted`, into a folder that does not exist; raises Problem."""
    sha = _find_commit(top, wanted or "HEAD")
    _git(top, "clone", "--quiet", "--no-checkout", "--no-hardlinks", str(top), str(into))
    if wanted is not None:
        _git(into, "checkout", "--quiet", "--detach", sha)
    else:
        _copy_work_tree(top, into)
        _git(into, "reset", "--quiet", sha)
    branch = _git(top, "rev-parse", "--abbrev-ref", "HEAD").strip() if wanted is None else ""
    return Commit(sha, "" if branch == "HEAD" else branch, "")


def _find_commit(top: Path, name: str) -> str:
    try:
        return _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except Problem:
        raise Problem(f"the repository at {top} has no commit {name}") from None


def _copy_work_tree(top: Path, into: Path) -> None:
    names = _git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in dict.fromkeys(filter(None, names)):
        source, target = top / name, into / name
        if not os.path.lexists(source) or (source.is_dir() and not source.is_symlink()):
            continue  # deleted, or a submodule
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _git(place: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", "-C", str(place), *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise Problem("git is not installed") from None
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise Problem(said[0] if said else f"git {arguments[0]} failed")
    return ended.stdout.decode(errors="surrogateescape")
