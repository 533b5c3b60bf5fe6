"""Which repository the demo builds: a path or an address, a branch, and the headrace.yml that is committed there."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from launcher.environment import FOREIGN
from launcher.processes import LaunchError

DEFINITION = "headrace.yml"
CLONE_SECONDS = 300.0
# What git takes for an address rather than a path: scheme://… and user@host:path.
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+|[^/:]+@[^/:]+:.+")


class RepositoryUnusable(LaunchError):
    """The demo cannot build this repository."""


@dataclass(frozen=True)
class Source:
    """A state of a repository, as the API takes it. `branch` is empty where no branch is checked out."""

    name: str
    url: str
    branch: str
    commit: str
    definition: bytes
    remarks: list[str] = field(default_factory=list)


def find_source(repository: str, branch: str) -> Source:
    """The source at a path or address; with no branch, what is checked out there or what the remote side prefers.

    Raises RepositoryUnusable with one line.
    """
    if ADDRESS.fullmatch(repository):
        return _remote_source(repository, branch)
    folder = Path(repository).expanduser()
    if not folder.is_dir():
        raise RepositoryUnusable(f"{repository} is neither a folder nor an address of a repository")
    return _local_source(folder.resolve(), branch)


def _local_source(folder: Path, branch: str) -> Source:
    bare = _git(folder, "rev-parse", "--is-bare-repository") == "true"
    top = Path(_git(folder, "rev-parse", "--absolute-git-dir" if bare else "--show-toplevel"))
    current = _git(top, "symbolic-ref", "--quiet", "--short", "HEAD", missing="")
    if branch and not _git(top, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", missing=""):
        raise RepositoryUnusable(f"{top} has no branch {branch}")
    commit = _git(top, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}" if branch else "HEAD", missing="")
    if not commit:
        raise RepositoryUnusable(f"{top} has no commit yet")
    remarks = []
    if not bare and branch in ("", current) and _git(top, "status", "--porcelain"):
        remarks.append("The repository has uncommitted changes; they are not part of this run.")
    if not branch and not current:
        remarks.append(f"No branch is checked out; the run is of commit {commit[:12]}.")
    return Source(top.name, f"file://{quote(str(top))}", branch or current, commit, _definition(top, commit), remarks)


def _remote_source(url: str, branch: str) -> Source:
    wanted = [f"--branch={branch}"] if branch else []
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        top = Path(folder)
        # Without the files: only headrace.yml is fetched besides the commit.
        _git(top, "clone", "--quiet", "--depth=1", "--no-checkout", "--filter=blob:none", *wanted, "--", url, "clone")
        clone = top / "clone"
        commit = _git(clone, "rev-parse", "--verify", "--quiet", "HEAD", missing="")
        if not commit:
            raise RepositoryUnusable(f"{url} has no commit yet")
        current = branch or _git(clone, "symbolic-ref", "--short", "HEAD")
        name = url.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
        return Source(name, url, current, commit, _definition(clone, commit))


def _definition(top: Path, commit: str) -> bytes:
    if not _git(top, "ls-tree", "--name-only", commit, "--", DEFINITION):
        there = " (it is there, but not committed)" if (top / DEFINITION).exists() else ""
        raise RepositoryUnusable(f"{top} has no {DEFINITION} in commit {commit[:12]}{there}")
    return _run(top, "show", f"{commit}:{DEFINITION}").stdout


def _git(folder: Path, *words: str, missing: str | None = None) -> str:
    """What git prints; `missing`, where it is given, stands for a refusal."""
    done = _run(folder, *words)
    if done.returncode == 0:
        return done.stdout.decode(errors="replace").strip()
    if missing is not None:
        return missing
    reason = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
    raise RepositoryUnusable(f"git {words[0]} failed: {reason[0]}")


def _run(folder: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", *words], cwd=folder, env=environment, capture_output=True, timeout=CLONE_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise RepositoryUnusable("git is missing: apt install git") from error
    except subprocess.TimeoutExpired as error:
        raise RepositoryUnusable(f"git {words[0]} took longer than {CLONE_SECONDS:.0f} seconds") from error
