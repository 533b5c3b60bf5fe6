"""What time does to rooms: those in which nothing is said fall asleep, and old messages go."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, case, delete, func, literal, select, tuple_
from sqlalchemy.orm import Session

from app.identity import Client
from app.kernel.clock import database_now, sql_days
from app.kernel.events import EventRecord
from app.messaging.models import AUTO_INACTIVE, INACTIVE_AFTER_DAYS, ChatRoom, Message, RoomChange, RoomState
from app.messaging.order import ROOM_UPDATED, record_change

ROOMS_AT_ONCE: Final = 100
ROWS_AT_ONCE: Final = 2000


def put_to_sleep(session: Session) -> int:
    """Make some of the rooms inactive in which nothing was said for the days of their type; returns how many. A room in
    which somebody is just writing is passed over."""
    quiet = (
        select(RoomState)
        .join(ChatRoom, ChatRoom.id == RoomState.room_id)
        .where(RoomState.is_active, RoomState.quiet_since < database_now() - sql_days(_days()))
        .order_by(RoomState.room_id)
        .limit(ROOMS_AT_ONCE)
        .with_for_update(of=RoomState, skip_locked=True)
    )
    states = session.scalars(quiet).all()
    for state in states:
        state.deactivate(AUTO_INACTIVE)
        session.flush()
        record_change(
            session,
            state,
            ROOM_UPDATED,
            {"room_id": str(state.room_id), "is_active": False, "reason": AUTO_INACTIVE},
        )
    return len(states)


def forget_old_messages(session: Session, days: int) -> int:
    """Delete some of the messages that are older than their application keeps them, or, where it does not say, than
    `days`, of which 0 is for ever; all of those of applications that were deleted. Returns how many."""
    return _forget(session, select(Message.id), Message.id, Message, days)


def forget_old_changes(session: Session, days: int) -> int:
    """Delete some of the other events of rooms, as old; returns how many."""
    key = tuple_(RoomChange.room_id, RoomChange.place)
    return _forget(session, select(RoomChange.room_id, RoomChange.place), key, RoomChange, days)


def forget_old_announcements(session: Session, days: int) -> int:
    """Delete from the log of events some of what was said in messages that are as old; returns how many."""
    told = select(EventRecord.id).where(EventRecord.type.startswith("message."), EventRecord.dispatched_at.is_not(None))
    return _forget(session, told, EventRecord.id, EventRecord, days)


def _forget(session: Session, rows: Select[*tuple[Any, ...]], key: Any, model: Any, days: int) -> int:
    kept = func.coalesce(Client.message_retention_days, days or None)
    too_old = model.created_at < database_now() - sql_days(kept)
    some = (
        rows.join(Client, Client.id == model.client_id)
        .where(too_old | Client.deleted_at.is_not(None))
        .limit(ROWS_AT_ONCE)
    )
    gone = delete(model).where(key.in_(some)).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]


def _days() -> Any:
    return case(
        *((ChatRoom.room_type == kind, literal(days)) for kind, days in INACTIVE_AFTER_DAYS.items()), else_=literal(90)
    )
