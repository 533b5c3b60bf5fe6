"""What a code host is told of a commit, and what keeps it from being told. No message holds a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from app.kernel.errors import Permanent, Transient

State = Literal["pending", "success", "failure", "error"]


class StatusRefused(Permanent):
    """The code host does not take the commit's status."""

    code = "STATUS_REFUSED"


class StatusHostAway(Transient):
    """The code host cannot be reached now."""

    code = "STATUS_HOST_AWAY"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """The status of one commit under one name (`context`), which a later one of that name replaces.

    `provider` is github, gitlab or gitea; `api_url` is where its API begins, None for what follows from the
    repository's address.
    """

    provider: str
    api_url: str | None
    repository_url: str
    commit_sha: str
    state: State
    context: str
    description: str
    target_url: str


class Statuses(Protocol):
    """Code hosts that take statuses."""

    def report(self, status: CommitStatus, token: str) -> None:
        """Set a status; setting it twice is harmless. Raises StatusRefused, StatusHostAway or an OutgoingError."""
        ...
