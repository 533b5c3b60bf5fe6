"""The topics that anybody may ask for, and to whom each of them exists."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clusters import Cluster
from app.identity import User
from app.jobs import Job
from app.kernel.principal import Principal, places_of
from app.messaging import ChatRoom, visible_rooms
from app.pipelines import Execution
from app.tenancy import Organization, Workspace

USER: Final = "user"
"""What is for one user alone; it takes no permission but to be that user."""

_TOPIC = re.compile(r"(?P<kind>[a-z]+):(?P<id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Kind(NamedTuple):
    """Whose events a topic carries, and the permission to read that."""

    model: Any
    permission: str


KINDS: Final[Mapping[str, Kind]] = {
    "job": Kind(Job, "jobs:read"),
    "execution": Kind(Execution, "executions:read"),
    "workspace": Kind(Workspace, "workspaces:read"),
    "cluster": Kind(Cluster, "clusters:read"),
    "organization": Kind(Organization, "organizations:read"),
    "room": Kind(ChatRoom, "messages:read"),
    USER: Kind(User, ""),
}


class Visible(NamedTuple):
    """A topic that exists for a caller, and on what: a permission held in one of the places it lies in; what lies in
    none is the caller's own. A chat room exists for those who are in it."""

    topic: str
    permission: str
    places: tuple[UUID, ...]


def parse_topic(topic: str) -> tuple[str, UUID] | None:
    """Return the kind and the id of what a topic is about, or None when nothing can be called so."""
    found = _TOPIC.fullmatch(topic)
    return (found["kind"], UUID(found["id"])) if found and found["kind"] in KINDS else None


def room_of(topic: str) -> UUID | None:
    """Return the chat room that a topic is about, if it is about one."""
    parsed = parse_topic(topic)
    return parsed[1] if parsed and parsed[0] == "room" else None


def has_presence(topic: str) -> bool:
    """Whether it is known who listens to a topic: a chat room's, or a user's own."""
    parsed = parse_topic(topic)
    return parsed is not None and parsed[0] in ("room", USER)


def visible_topics(session: Session, caller: Principal, topics: Iterable[str]) -> dict[str, Visible]:
    """Return those of the topics that exist for `caller`, in one query for each kind."""
    ids: dict[str, list[UUID]] = defaultdict(list)
    for topic in topics:
        if parsed := parse_topic(topic):
            ids[parsed[0]].append(parsed[1])
    found = [visible for kind, some in ids.items() for visible in _visible(session, caller, kind, some)]
    return {visible.topic: visible for visible in found}


def _visible(session: Session, caller: Principal, kind: str, ids: Collection[UUID]) -> Iterable[Visible]:
    model, permission = KINDS[kind]
    if kind == USER:
        mine = [one for one in ids if one == caller.user_id and caller.holds_account]
        yield from (Visible(f"{USER}:{one}", permission, ()) for one in mine)
        return
    is_room = model is ChatRoom
    rows = visible_rooms(session, caller, ids) if is_room else session.scalars(select(model).where(model.id.in_(ids)))
    for row in rows:
        if (caller.owns(row) and caller.permits(permission)) or caller.may(permission, *places_of(row)):
            yield Visible(f"{kind}:{row.id}", permission, places_of(row))
