"""What git says when it fails, in the words of the platform, without anything secret."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.kernel.errors import HeadraceError
from tasks.pipelines.gateways.base import (
    CommitNotFound,
    GitCredentials,
    RepositoryAccessDenied,
    RepositoryNotFound,
    RepositoryRefused,
    RepositoryTooLarge,
    RepositoryUnreachable,
)
from tasks.pipelines.gateways.git.process import GitFailed

LONGEST_LINE = 300

_USER_INFORMATION = re.compile(r"(?<=://)[^/\s'\"]*@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

_FAULTS: Sequence[tuple[str, type[HeadraceError], str]] = [
    (
        "could not read (Username|Password)",
        RepositoryAccessDenied,
        "The repository needs a password: set the secret REPOSITORY_TOKEN of this workspace",
    ),
    (
        "Authentication failed|returned error: 40[13]|Access denied",
        RepositoryAccessDenied,
        "The repository does not take this user name and password",
    ),
    (
        "repository '.*' not found|not appear to be a git repository|is this a git repository|returned error: 4(04|10)",
        RepositoryNotFound,
        "There is no repository at this address",
    ),
    (
        "returned error: 30[0-9]|unable to update url base",
        RepositoryRefused,
        "The repository's server sends on to another address, which is not followed; use that address itself",
    ),
    (
        "not our ref",
        CommitNotFound,
        "The repository has no such commit",
    ),
    (
        "fsck error|bad object|invalid path",
        RepositoryRefused,
        "The repository holds what git refuses to check out",
    ),
    (
        "[Oo]ut of memory|malloc failed",
        RepositoryTooLarge,
        "The repository takes more memory than git may",
    ),
    (
        "File too large|signal 25",
        RepositoryTooLarge,
        "The repository takes more room than a checkout may",
    ),
]


def explain(failure: GitFailed, credentials: GitCredentials | None) -> HeadraceError:
    """Return the error to raise for a failure of git."""
    said = redact(failure.said, credentials)
    for pattern, kind, sentence in _FAULTS:
        if re.search(pattern, said):
            return kind(f"{sentence} (git: {_telling_line(said)}).")
    return RepositoryUnreachable(f"The repository cannot be read now (git: {_telling_line(said)}).")


def redact(text: str, credentials: GitCredentials | None) -> str:
    """Return the text without user names and passwords."""
    text = _USER_INFORMATION.sub("***@", text)
    if credentials is not None and credentials.password:
        text = text.replace(credentials.password, "***")
    return text


def _telling_line(said: str) -> str:
    """The first fatal line: those after it only advise."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["nothing"]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    line = (fatal or lines[-1:])[0].removeprefix("fatal: ").removesuffix(".")
    return _CONTROL.sub(" ", line)[:LONGEST_LINE]
