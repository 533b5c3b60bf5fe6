"""The one place where an event of one room becomes an intent of another, and reaches the streams of its topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from app import pipelines, tenancy, webhooks
from app.kernel.clock import database_now
from app.kernel.events import EventRecord
from app.kernel.stream import publish

Follow = Callable[[Session, dict[str, Any], UUID], None]

FOLLOWS: Final[Mapping[str, tuple[Follow, ...]]] = {
    "execution.started": (pipelines.accept_report,),
    "execution.finished": (pipelines.accept_followers, pipelines.accept_report),
    "organization.member_added": (tenancy.accept_member_sync,),
    "organization.member_role_changed": (tenancy.accept_member_sync,),
    "organization.member_removed": (tenancy.accept_member_sync,),
    "organization.role_assigned": (tenancy.accept_member_sync,),
    "organization.role_withdrawn": (tenancy.accept_member_sync,),
    "project.members_changed": (tenancy.accept_member_sync,),
}
"""What follows from events, by their type; each is given the event's fields and its id, by which it asks only once."""


def dispatch(session: Session, records: Sequence[EventRecord]) -> None:
    """Let everything follow that follows from events; runs once for each, in the order of the log."""
    for record in records:
        _dispatch_one(session, record)
    webhooks.accept_deliveries(session, records)
    moment = session.execute(database_now().select()).scalar_one()
    for record in records:
        record.dispatched_at = moment


def _dispatch_one(session: Session, record: EventRecord) -> None:
    for topic in record.topics:
        publish(session, topic, record.type, {**record.data, "event_id": str(record.id)})
    for follow in FOLLOWS.get(record.type, ()):
        follow(session, record.data, record.id)
