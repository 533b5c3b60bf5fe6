"""How each host wants to be told: the address, the headers and the body of one request.

GitHub https://docs.github.com/rest/commits/statuses, GitLab https://docs.gitlab.com/api/commits/, Gitea
https://docs.gitea.com/api/ (repoCreateStatus).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from tasks.pipelines.gateways.statuses.base import CommitStatus, StatusRefused

# The shortest limit of the three is GitHub's.
LONGEST_DESCRIPTION: Final = 140


@dataclass(frozen=True, slots=True)
class Call:
    """One POST of JSON."""

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, str]


def make_call(status: CommitStatus, token: str) -> Call:
    """Return the request that sets a status; raises StatusRefused for a repository that names no host."""
    return _CALLS[status.provider](status, token)


def _github(status: CommitStatus, token: str) -> Call:
    base, name = _place(
        status, lambda root, host: "https://api.github.com" if host == "github.com" else f"{root}/api/v3"
    )
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return Call(f"{base}/repos/{quote(name)}/statuses/{status.commit_sha}", headers, _body(status))


def _gitea(status: CommitStatus, token: str) -> Call:
    base, name = _place(status, lambda root, _: f"{root}/api/v1")
    headers = {"Authorization": f"token {token}"}
    return Call(f"{base}/repos/{quote(name)}/statuses/{status.commit_sha}", headers, _body(status))


_GITLAB_STATES: Final = {"pending": "running", "success": "success", "failure": "failed", "error": "canceled"}


def _gitlab(status: CommitStatus, token: str) -> Call:
    base, name = _place(status, lambda root, _: f"{root}/api/v4")
    body = dict(_body(status)) | {"state": _GITLAB_STATES[status.state]}
    body["name"] = body.pop("context")
    return Call(f"{base}/projects/{quote(name, safe='')}/statuses/{status.commit_sha}", {"PRIVATE-TOKEN": token}, body)


_CALLS: Final[Mapping[str, Callable[[CommitStatus, str], Call]]] = {
    "github": _github,
    "gitlab": _gitlab,
    "gitea": _gitea,
}


def _body(status: CommitStatus) -> dict[str, str]:
    return {
        "state": status.state,
        "target_url": status.target_url,
        "description": status.description[:LONGEST_DESCRIPTION],
        "context": status.context,
    }


def _place(status: CommitStatus, find_api: Callable[[str, str], str]) -> tuple[str, str]:
    """Return where the API begins, and the repository's name with its owner's."""
    url = status.repository_url
    if "://" not in url:
        user_host, _, path = url.partition(":")
        url = f"ssh://{user_host}/{path}"
    parts = urlsplit(url)
    name = parts.path.strip("/").removesuffix(".git")
    if parts.scheme not in ("http", "https", "ssh") or not parts.hostname or not name:
        raise StatusRefused("The repository's address names no code host.")
    # An ssh port says nothing of the API's.
    root = f"https://{parts.hostname}" if parts.scheme == "ssh" else f"{parts.scheme}://{parts.netloc}"
    return (status.api_url or find_api(root, parts.hostname)).rstrip("/"), name
