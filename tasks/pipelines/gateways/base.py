"""What a source of code is: it names the commit a branch stands for, brings a commit into a folder, and says what kept
it from doing so. No message holds a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.kernel.errors import Permanent, Transient

Check = Callable[[], None]
ReadFile = Callable[[str], bytes]


class RepositoryRefused(Permanent):
    """This repository is not one that may be used here."""

    code = "REPOSITORY_REFUSED"


class RepositoryNotFound(Permanent):
    """There is no repository at this address."""

    code = "REPOSITORY_NOT_FOUND"


class RepositoryAccessDenied(Permanent):
    """The repository needs a password."""

    code = "REPOSITORY_ACCESS_DENIED"


class BranchNotFound(Permanent):
    """The repository has no such branch."""

    code = "BRANCH_NOT_FOUND"


class TagNotFound(Permanent):
    """The repository has no such tag."""

    code = "TAG_NOT_FOUND"


class CommitNotFound(Permanent):
    """The repository has no such commit."""

    code = "COMMIT_NOT_FOUND"


class FileNotInRepository(Permanent):
    """The commit has no such file."""

    code = "FILE_NOT_FOUND"


class RepositoryTooLarge(Permanent):
    """The repository takes more room than a checkout may."""

    code = "REPOSITORY_TOO_LARGE"


class CheckoutTimedOut(Permanent):
    """The repository did not arrive in time."""

    code = "CHECKOUT_TIMED_OUT"


class RepositoryUnreachable(Transient):
    """The repository cannot be reached now."""

    code = "REPOSITORY_UNREACHABLE"


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """What opens a private repository; neither part is ever shown."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """Which commit to name: the tip of a branch, of a tag, or of the default branch. `timeout` is in seconds."""

    repository_url: str
    branch: str | None = None
    tag: str | None = None
    timeout: float = 60.0
    credentials: GitCredentials | None = None


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """What to bring into the empty folder `into`: `commit_sha`, else the tip of the branch, tag or default branch.

    With a commit the branch is the name it is checked out under. On servers that give no bare commits it is looked for
    in `ref`, a whole name such as `refs/pull/7/head`, else in the branch. `timeout` is in seconds, `max_bytes` what
    history and files may take together.
    """

    repository_url: str
    branch: str | None
    commit_sha: str | None
    into: Path
    timeout: float
    max_bytes: int
    tag: str | None = None
    ref: str | None = None
    credentials: GitCredentials | None = None


@dataclass(frozen=True, slots=True)
class Checkout:
    """What was brought: the full commit id, and of the commit its message and its author as `name <address>`."""

    commit_sha: str
    branch: str | None
    message: str
    author: str


class Source(Protocol):
    """A source of code.

    `check` is called every quarter second; what it raises ends the work and passes through. Beside what they say, all
    raise RepositoryRefused, RepositoryNotFound, RepositoryAccessDenied, RepositoryUnreachable, RepositoryTooLarge and
    CheckoutTimedOut.
    """

    def resolve(self, request: ResolveRequest, check: Check) -> str:
        """Return the full id of the commit; raises BranchNotFound, TagNotFound or CommitNotFound."""
        ...

    def checkout(self, request: CheckoutRequest, check: Check) -> Checkout:
        """Bring the commit's files, and of the history what came with them; raises as `resolve` does."""
        ...

    def reading(self, request: CheckoutRequest, check: Check) -> AbstractContextManager[ReadFile]:
        """Bring the commit, and give what returns its regular files of at most a mebibyte; raises as `resolve` does.

        What is given raises FileNotInRepository. Nothing is checked out: `into` is where git works meanwhile.
        """
        ...
