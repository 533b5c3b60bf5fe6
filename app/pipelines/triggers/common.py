"""What the parsers of all hosts share: refs, changed paths, and names that git would not take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from app.pipelines.triggers.event import RepositoryEvent
from app.pipelines.triggers.payload import MOST_ITEMS, Payload
from app.tenancy import find_branch_fault

BRANCHES: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
MOST_CHARACTERS: Final = 200_000
"""Of all changed paths together: those of 3000 files and more, as people name them."""

LISTS: Final = ("added", "modified", "removed")

# How the hosts name what happens to a pull request, in GitHub's words.
ACTIONS: Final = {
    "open": "opened",
    "synchronized": "synchronize",
    "update": "synchronize",
    "reopen": "reopened",
    "close": "closed",
    "merge": "merged",
}


def ignored(known: RepositoryEvent, reason: str) -> RepositoryEvent:
    """Return an event that starts nothing."""
    return replace(known, kind="ignored", reason=reason)


def of_ref(known: RepositoryEvent, ref: str, commit: str | None, *, deleted: bool) -> RepositoryEvent:
    """Return the event of a ref that was pushed."""
    for prefix, kind in ((BRANCHES, "branch"), (TAGS, "tag")):
        name = ref.removeprefix(prefix)
        if not ref.startswith(prefix):
            continue
        if deleted:
            return ignored(known, f"The {kind} was deleted.")
        if fault := find_branch_fault(name):
            return ignored(known, f"The name of the {kind} {fault}.")
        if kind == "branch":
            return replace(known, kind="push", branch=name, commit=commit)
        return replace(known, kind="tag", tag=name, commit=commit)
    return ignored(known, "It is neither of a branch nor of a tag.")


def check_pull_request(event: RepositoryEvent) -> RepositoryEvent:
    """Return the event, ignored where it names no commit or a branch that cannot be one."""
    if event.number is None or event.commit is None:
        return ignored(event, "It names no pull request with a commit.")
    for name in (event.branch, event.base_branch):
        if fault := find_branch_fault(name or ""):
            return ignored(event, f"The name of a branch {fault}.")
    return event


def read_changes(commits: Iterable[Payload]) -> tuple[tuple[str, ...], bool]:
    """Return the paths that commits changed, and whether each of them told of its paths."""
    paths: dict[str, None] = {}
    told = True
    for commit in commits:
        told = told and all(commit.is_list(name) for name in LISTS)
        for name in LISTS:
            paths.update(dict.fromkeys(path.text() for path in commit.items(name)))
    paths.pop("", None)
    if sum(map(len, paths)) > MOST_CHARACTERS:
        return (), False
    return tuple(paths)[:MOST_ITEMS], told and len(paths) < MOST_ITEMS


def read_addresses(payload: Payload, paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the addresses a repository has, each once."""
    return tuple(dict.fromkeys(filter(None, (payload.text(*path, most=2048) for path in paths))))
