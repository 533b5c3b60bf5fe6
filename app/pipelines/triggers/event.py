"""What a code host tells, in one form for all hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Provider = Literal["github", "gitlab", "gitea"]
Kind = Literal["push", "tag", "pull_request", "ping", "other", "ignored"]


@dataclass(frozen=True, slots=True)
class RepositoryEvent:
    """Something that happened to a repository.

    `event` is the host's own name for it. `branch` is the branch that was pushed, or the one a pull request comes from;
    `base_branch` is where that is to go. `changed` are paths below the repository's root; unless `changed_complete`,
    there may be more. `fork` says that the commit comes from another repository, whose authors are strangers.
    `fetch_ref` is where the repository itself keeps the commit. What is `other` can be checked out at no place of its
    own; what is `ignored` starts nothing, for `reason`.
    """

    kind: Kind
    event: str
    repository: str = ""
    addresses: tuple[str, ...] = ()
    branch: str | None = None
    base_branch: str | None = None
    tag: str | None = None
    commit: str | None = None
    action: str | None = None
    changed: tuple[str, ...] = ()
    changed_complete: bool = False
    message: str = ""
    title: str = ""
    fork: bool = False
    number: int | None = None
    fetch_ref: str | None = None
    sender: str | None = None
    reason: str | None = None
