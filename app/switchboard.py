"""The one place where an event of one room becomes an intent of another, and reaches the streams of its topics."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.kernel.events import EventRecord
from app.kernel.stream import publish


def dispatch(session: Session, record: EventRecord) -> None:
    """Let everything follow that follows from an event; runs once for each, in the order of the log."""
    for topic in record.topics:
        publish(session, topic, record.type, {**record.data, "event_id": str(record.id)})
