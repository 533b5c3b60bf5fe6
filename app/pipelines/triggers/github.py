"""GitHub's deliveries (https://docs.github.com/webhooks/webhook-events-and-payloads), and Gitea's, which follow
them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.pipelines.triggers.common import (
    ACTIONS,
    check_pull_request,
    ignored,
    of_ref,
    read_addresses,
    read_changes,
)
from app.pipelines.triggers.event import RepositoryEvent
from app.pipelines.triggers.payload import LONGEST_MESSAGE, Payload

# Beyond this many commits GitHub leaves out the rest.
MOST_COMMITS: Final = 2048
ADDRESSES: Final = tuple(("repository", name) for name in ("clone_url", "ssh_url", "html_url", "git_url"))
TOLD_BY_PUSH: Final = ("create", "delete")


def parse(event: str, payload: Payload) -> RepositoryEvent:
    """Return what a delivery tells; never raises."""
    known = RepositoryEvent(
        "other",
        event,
        repository=payload.text("repository", "full_name"),
        addresses=read_addresses(payload, ADDRESSES),
        action=payload.text("action") or None,
        sender=payload.text("sender", "login") or None,
    )
    match event:
        case "push":
            return _push(known, payload)
        case "ping":
            return replace(known, kind="ping")
        case name if name in TOLD_BY_PUSH:
            return ignored(known, "The event push tells of it already.")
        case "pull_request" | "pull_request_sync":
            return _pull_request(known, payload)
        case "":
            return ignored(known, "It names no event.")
    return known


def _push(known: RepositoryEvent, payload: Payload) -> RepositoryEvent:
    # Of an annotated tag `after` is the tag's own object; the commit is in `head_commit`.
    commit = payload.commit_id("head_commit", "id") or payload.commit_id("after")
    deleted = bool(payload.flag("deleted")) or payload.commit_id("after") is None
    commits = list(payload.items("commits"))
    changed, told = read_changes(commits)
    total = payload.number("total_commits") or len(commits)
    partial = payload.flag("forced") or payload.commit_id("before") is None or total > len(commits)
    read = replace(
        known,
        changed=changed,
        changed_complete=bool(told and commits and not partial and len(commits) < MOST_COMMITS),
        message=_head_message(payload, commits),
    )
    return of_ref(read, payload.text("ref"), commit, deleted=deleted)


def _head_message(payload: Payload, commits: list[Payload]) -> str:
    message = payload.text("head_commit", "message", most=LONGEST_MESSAGE)
    return message or next(
        (one.text("message", most=LONGEST_MESSAGE) for one in commits if one.text("id") == payload.text("after")), ""
    )


def _pull_request(known: RepositoryEvent, payload: Payload) -> RepositoryEvent:
    request = payload.at("pull_request")
    number = payload.number("number")
    action = ACTIONS.get(known.action or "", known.action)
    merged = action == "closed" and request.flag("merged")
    # A fork that was deleted leaves nothing behind that says it was one.
    own, other = request.number("base", "repo", "id"), request.number("head", "repo", "id")
    return check_pull_request(
        replace(
            known,
            kind="pull_request",
            action="merged" if merged else action,
            branch=request.text("head", "ref"),
            base_branch=request.text("base", "ref"),
            commit=request.commit_id("head", "sha"),
            title=request.text("title"),
            fork=own is None or own != other,
            number=number,
            fetch_ref=f"refs/pull/{number}/head",
        )
    )
