"""Git repositories made by tests: real ones, with the commits a test asks for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.defpath,
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Alice",
    "GIT_AUTHOR_EMAIL": "alice@example.com",
    "GIT_COMMITTER_NAME": "Alice",
    "GIT_COMMITTER_EMAIL": "alice@example.com",
    "GIT_ALLOW_PROTOCOL": "file",
}


class Repository:
    """A repository with a working tree, on its branch `main`."""

    def __init__(self, path: Path, object_format: str = "sha1") -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")

    @property
    def url(self) -> str:
        """Its file address."""
        return f"file://{self.path}"

    @property
    def name(self) -> str:
        """Its name on a server of the folder it is in."""
        return self.path.name

    def git(self, *arguments: str, given: bytes = b"") -> str:
        """Run git here and return what it printed."""
        ended = subprocess.run(
            ["git", *arguments], cwd=self.path, env=ENVIRONMENT, input=given, capture_output=True, check=True
        )
        return ended.stdout.decode().strip()

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "A change") -> str:
        """Write files, commit all there is, and return the commit's id."""
        for name, content in (files or {}).items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, listing: bytes) -> str:
        """Commit to `main` a tree as `git mktree` reads it, whatever names are in it, and return the commit's id."""
        tree = self.git("mktree", "-z", given=listing)
        commit = self.git("commit-tree", "-m", "A tree", tree)
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def blob(self, content: bytes) -> str:
        """Store some bytes and return their id."""
        return self.git("hash-object", "-w", "--stdin", given=content)
