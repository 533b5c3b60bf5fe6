"""GitLab's deliveries (https://docs.gitlab.com/user/project/integrations/webhook_events/)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.pipelines.triggers.common import (
    ACTIONS,
    check_pull_request,
    of_ref,
    read_addresses,
    read_changes,
)
from app.pipelines.triggers.event import RepositoryEvent
from app.pipelines.triggers.payload import LONGEST_MESSAGE, Payload

ADDRESSES: Final = tuple(
    ("project", name) for name in ("git_http_url", "git_ssh_url", "web_url", "http_url", "ssh_url")
)


def parse(event: str, payload: Payload) -> RepositoryEvent:
    """Return what a delivery tells; never raises."""
    known = RepositoryEvent(
        "other",
        event,
        repository=payload.text("project", "path_with_namespace"),
        addresses=read_addresses(payload, ADDRESSES),
        action=payload.text("object_attributes", "action") or None,
        sender=payload.text("user_username") or payload.text("user", "username") or None,
    )
    match payload.text("object_kind"):
        case "push" | "tag_push":
            return _push(known, payload)
        case "merge_request":
            return _merge_request(known, payload)
    return known


def _push(known: RepositoryEvent, payload: Payload) -> RepositoryEvent:
    commits = list(payload.items("commits"))
    changed, told = read_changes(commits)
    total = payload.number("total_commits_count")
    whole = total == len(commits) and payload.commit_id("before") is not None
    head = payload.text("checkout_sha")
    message = next((one.text("message", most=LONGEST_MESSAGE) for one in commits if one.text("id") == head), "")
    read = replace(known, changed=changed, changed_complete=told and whole, message=message)
    # Of an annotated tag `after` is the tag's own object.
    commit = payload.commit_id("checkout_sha") or payload.commit_id("after")
    return of_ref(read, payload.text("ref"), commit, deleted=payload.commit_id("after") is None)


def _merge_request(known: RepositoryEvent, payload: Payload) -> RepositoryEvent:
    request = payload.at("object_attributes")
    number = request.number("iid")
    action = ACTIONS.get(known.action or "", known.action)
    if known.action == "update" and request.commit_id("oldrev") is None:
        action = "edited"  # only an update that brings commits names the commit before them
    own, other = request.number("target_project_id"), request.number("source_project_id")
    return check_pull_request(
        replace(
            known,
            kind="pull_request",
            action=action,
            branch=request.text("source_branch"),
            base_branch=request.text("target_branch"),
            commit=request.commit_id("last_commit", "id"),
            message=request.text("last_commit", "message", most=LONGEST_MESSAGE),
            title=request.text("title"),
            fork=own is None or own != other,
            number=number,
            fetch_ref=f"refs/merge-requests/{number}/head",
        )
    )
