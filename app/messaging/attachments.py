"""Attachments: files brought to a room, carried by a message, and read by those who may read it.

A row is written before the bytes are stored, so that the prune finds whatever was begun. One that no message carries is
kept for a day; one whose message or room is gone likewise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.kernel.store import Stored
from app.messaging.access import Actor, find_actor, no_room
from app.messaging.errors import AttachmentsFull, AttachmentTaken
from app.messaging.models import ATTACHMENTS, Attachment, Message, RoomState

UNBOUND_KEPT: Final = timedelta(hours=24)
# What may still be bound is not pruned, however long a transaction takes.
MARGIN: Final = timedelta(hours=1)
ROWS_AT_ONCE: Final = 200
FAMILIES: Final = {"image": "image/", "video": "video/", "audio": "audio/"}
"""How the media types of messages of some types begin; a `file` or a `document` is of any."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A file as its bringer describes it; `size` in bytes."""

    id: UUID
    name: str
    mime: str
    size: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many bytes are kept of an application, and of what one of its users has brought."""

    application: int
    user: int


def reserve(session: Session, caller: Principal, room_id: UUID, brought: Brought, bounds: Bounds) -> Attachment:
    """Write that a file is coming to a room, or return it if it has come: brought again with its id it is the same one.

    Raises NotFound, RoomInactive, AttachmentTaken, also for an id that is about to be pruned, and AttachmentsFull.
    """
    actor = find_actor(session, caller, room_id)
    state = session.get(RoomState, room_id)
    if state is None:
        raise no_room(room_id)
    state.awake()
    described = {"name": brought.name, "mime": brought.mime, "size": brought.size, "upload_id": new_id()}
    fresh = {"client_id": actor.client_id, "id": brought.id, "room_id": room_id, "uploaded_by": caller.user_id}
    session.execute(insert(table_of(Attachment)).values(**fresh, **described).on_conflict_do_nothing())
    found = session.get_one(Attachment, (actor.client_id, brought.id), with_for_update=True)
    if (found.room_id, found.uploaded_by) != (room_id, caller.user_id) or _is_going(session, found):
        raise AttachmentTaken
    if found.sha256 is not None:
        return found
    _refuse_beyond(session, actor, brought, bounds)
    for name, value in described.items():
        setattr(found, name, value)
    session.flush()
    return found


def note_stored(session: Session, attachment: Attachment, stored: Stored) -> Attachment:
    """Write that the bytes of a file are in the store.

    Raises NotFound when it was pruned meanwhile, and AttachmentTaken when a later upload of it has begun.
    """
    found = session.get(Attachment, (attachment.client_id, attachment.id), with_for_update=True)
    if found is None:
        raise _no_attachment(attachment.id)
    if found.upload_id != attachment.upload_id:
        raise AttachmentTaken("This attachment is being uploaded once more.")
    found.size, found.sha256 = stored.size, stored.sha256
    session.flush()
    return found


def load_attachment(session: Session, caller: Principal, attachment_id: UUID) -> Attachment:
    """Return a file that the caller may read: one whose message says something in a room they are in, or one they have
    brought there themselves. Raises NotFound."""
    found = session.get(Attachment, (caller.client_id, attachment_id)) if caller.client_id else None
    if found is None or found.room_id is None or found.sha256 is None:
        raise _no_attachment(attachment_id)
    try:
        actor = find_actor(session, caller, found.room_id)
    except NotFound:
        raise _no_attachment(attachment_id) from None
    message = None if found.message_id is None else session.get(Message, found.message_id)
    is_told = message is not None and not message.is_deleted
    is_own = message is None and (actor.member is None or found.uploaded_by == actor.user_id)
    if not (is_told or is_own):
        raise _no_attachment(attachment_id)
    return found


def find_carried(
    session: Session, sender: Actor, room_id: UUID, message_type: str, meta: Mapping[str, Any], carrier: UUID | None
) -> Attachment | None:
    """Return the file that a message is to carry, locked, if it names one; `carrier` is the message, if it is there.

    Raises Invalid for one that the sender has not brought to the room, or that another message carries.
    """
    if message_type not in ATTACHMENTS or "attachment_id" not in meta:
        return None
    is_fresh = and_(Attachment.message_id.is_(None), _is_fresh())
    is_free = is_fresh if carrier is None else or_(is_fresh, Attachment.message_id == carrier)
    wanted = select(Attachment).where(
        Attachment.client_id == sender.client_id,
        Attachment.id == UUID(str(meta["attachment_id"])),
        Attachment.room_id == room_id,
        Attachment.sha256.is_not(None),
        is_free,
    )
    if sender.user_id is not None:
        wanted = wanted.where(Attachment.uploaded_by.in_((sender.user_id, sender.client_id)))
    found = session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise _refused("You have brought no such file to the room, or it belongs to a message already.")
    if not found.mime.startswith(FAMILIES.get(message_type, "")):
        raise _refused(f"This file is {found.mime}: send it as a `file`.")
    return found


def describe(carried: Attachment | None, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes with a message, with what is known of the file it carries."""
    if carried is None:
        return dict(meta)
    known = {"attachment_id": str(carried.id), "url": carried.url}
    return {**meta, **known, "name": carried.name, "size": carried.size, "mime": carried.mime}


def bind(session: Session, message: Message, carried: Attachment | None) -> None:
    """Let a message carry this file, and no other."""
    others = update(Attachment).where(Attachment.message_id == message.id).values(message_id=None)
    session.execute(others.execution_options(synchronize_session=False))
    if carried is not None:
        its = update(Attachment).where(*_keys_of(carried)).values(message_id=message.id)
        session.execute(its.execution_options(synchronize_session=False))


def unclaimed(session: Session) -> Sequence[Attachment]:
    """Return some of the files that no message carries and none will."""
    long_ago = database_now() - (UNBOUND_KEPT + MARGIN)
    rows = select(Attachment).where(Attachment.message_id.is_(None), Attachment.created_at < long_ago)
    return session.scalars(rows.limit(ROWS_AT_ONCE)).all()


def forget_attachments(session: Session, attachments: Sequence[Attachment]) -> None:
    """Delete the rows of files whose bytes are gone."""
    keys = [(one.client_id, one.id) for one in attachments]
    session.execute(delete(Attachment).where(tuple_(Attachment.client_id, Attachment.id).in_(keys)))


def _is_going(session: Session, found: Attachment) -> bool:
    """Tell whether a file may be pruned before anything carries it."""
    if found.message_id is not None:
        return False
    return not session.scalar(select(_is_fresh()).where(*_keys_of(found)))


def _is_fresh() -> ColumnElement[bool]:
    return Attachment.created_at > database_now() - UNBOUND_KEPT


def _keys_of(attachment: Attachment) -> tuple[ColumnElement[bool], ...]:
    return Attachment.client_id == attachment.client_id, Attachment.id == attachment.id


def _refuse_beyond(session: Session, actor: Actor, brought: Brought, bounds: Bounds) -> None:
    others = select(func.sum(Attachment.size)).where(
        Attachment.client_id == actor.client_id, Attachment.id != brought.id
    )
    theirs = others.where(Attachment.uploaded_by == actor.user_id)
    if actor.user_id is not None and (session.scalar(theirs) or 0) + brought.size > bounds.user:
        raise AttachmentsFull("Of your files as many bytes are kept as may be.", limit=bounds.user)
    if (session.scalar(others) or 0) + brought.size > bounds.application:
        raise AttachmentsFull(limit=bounds.application)


def _refused(why: str) -> Invalid:
    return Invalid(errors=[FieldError("meta.attachment_id", why)])


def _no_attachment(attachment_id: UUID) -> NotFound:
    return NotFound(resource_type=Attachment.noun, resource_id=str(attachment_id))
