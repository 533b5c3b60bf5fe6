"""The repository in a checkout: made empty, filled by fetching, then checked out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tasks.pipelines.gateways.base import CommitNotFound, FileNotInRepository
from tasks.pipelines.gateways.git.process import Git, GitFailed

_MOST_MESSAGE = 10_000
_MOST_FILE = 1024 * 1024
_SOME_COMMITS = 50
_REGULAR = "100"  # how the mode of a regular file begins

# What servers say that give tips of branches only, or the whole history only.
_NO_BARE_COMMITS = re.compile(
    r"unadvertised object|want [0-9a-f]+ not valid|dumb http transport does not support shallow"
)
_DUMB = "dumb http transport"
_NO_SUCH_BRANCH = "couldn't find remote ref"
_ALL_REFS = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")


class Repository:
    """A repository of ours in `folder`, which was empty."""

    def __init__(self, git: Git, folder: Path) -> None:
        self._git = git
        self._folder = folder

    def fetch(self, url: str, commit: str, place: str | None) -> None:
        """Make the repository and bring one commit into it, from the ref `place` if the server gives no bare commits.

        Raises CommitNotFound or GitFailed.
        """
        if any(self._folder.iterdir()):
            raise ValueError("a folder that is not empty could hold a repository that configures git")
        object_format = "sha256" if len(commit) == 64 else "sha1"
        self._run("init", "--quiet", "--template=", f"--object-format={object_format}")
        self._run("remote", "add", "--", "origin", url)
        try:
            self._fetch("--depth=1", "--no-tags", refs=[commit])
        except GitFailed as failure:
            if not _NO_BARE_COMMITS.search(failure.said):
                raise
            self._fetch_history(commit, place, shallow=_DUMB not in failure.said)
        if not self._has(commit):
            raise CommitNotFound(f"The repository has no commit {commit}.")

    def check_out(self, commit: str, branch: str | None) -> None:
        """Write the commit's files; HEAD is the branch where there is one."""
        where = ["--detach"] if branch is None else ["-B", branch]
        self._run("checkout", "--quiet", "--force", *where, commit, "--")

    def describe(self, commit: str) -> tuple[str, str]:
        """Return the commit's message and its author."""
        shown = self._run("show", "--no-patch", "--no-show-signature", "--format=%an <%ae>%x00%B", commit, "--")
        author, _, message = shown.decode(errors="replace").partition("\0")
        return message.strip()[:_MOST_MESSAGE], author[:_MOST_MESSAGE]

    def read_file(self, commit: str, path: str) -> bytes:
        """Return a regular file of the commit; raises FileNotInRepository."""
        mode, blob, size = self._look_up(commit, path) if _is_plain(path) else ("", "", 0)
        if not mode.startswith(_REGULAR):
            raise FileNotInRepository(f"The commit has no file {path!r}.")
        if size > _MOST_FILE:
            raise FileNotInRepository(f"The file {path!r} is larger than {_MOST_FILE} bytes.")
        return self._run("cat-file", "blob", blob)

    def _look_up(self, commit: str, path: str) -> tuple[str, str, int]:
        listed = self._run("--literal-pathspecs", "ls-tree", "-z", "-l", "--full-tree", commit, "--", path)
        facts, _, name = listed.decode(errors="replace").rstrip("\0").partition("\t")
        mode, _, blob, size = facts.split() if name == path else ("", "", "", "-")
        return mode, blob, int(size) if size.isdigit() else 0

    def _fetch_history(self, commit: str, place: str | None, *, shallow: bool) -> None:
        refs = list(_ALL_REFS)
        if shallow and place is not None and self._fetch_some_of(place):
            if self._has(commit):
                return
            refs.append(_mirrored(place))
        everything = ["--unshallow"] if (self._folder / ".git/shallow").exists() else []
        self._fetch(*everything, refs=refs)

    def _fetch_some_of(self, place: str) -> bool:
        """Bring the newest commits of a ref; False when it is gone."""
        try:
            self._fetch(f"--depth={_SOME_COMMITS}", "--no-tags", refs=[_mirrored(place)])
        except GitFailed as failure:
            if _NO_SUCH_BRANCH in failure.said:
                return False
            raise
        return True

    def _fetch(self, *options: str, refs: Sequence[str]) -> None:
        self._run("fetch", "--quiet", "--no-recurse-submodules", *options, "--", "origin", *refs)

    def _has(self, commit: str) -> bool:
        """Tell whether it is here, and is a commit and nothing else."""
        try:
            return self._run("cat-file", "-t", commit).strip() == b"commit"
        except GitFailed:
            return False

    def _run(self, *arguments: str) -> bytes:
        return self._git.run(*arguments, directory=self._folder)


def _mirrored(ref: str) -> str:
    """Where a ref of theirs is kept here: at a place of its own, for `*` in a refspec has to match once only."""
    return f"+{ref}:refs/headrace/{ref.removeprefix('refs/')}"


def _is_plain(path: str) -> bool:
    pure = PurePosixPath(path)
    return str(pure) == path and not pure.is_absolute() and ".." not in pure.parts and "\0" not in path
