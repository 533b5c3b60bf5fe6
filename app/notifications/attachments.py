"""Files that mails carry: brought beforehand, named by notifications, and kept as long as one of these is.

A row is written before the bytes are stored, so that the prune finds whatever was begun. The session comes first;
nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.store import Stored
from app.notifications.errors import AttachmentsFull, AttachmentTaken
from app.notifications.models import Enclosure, MailAttachment
from app.notifications.providers import Owner, is_of, owner_of

# Of one file, and of all that one mail carries: what every provider takes once it is written in base64.
MOST_BYTES: Final = 7 * 1024**2
MOST_FILES: Final = 10
# Of all files of one owner that are kept.
MOST_KEPT: Final = 1024**3
UNNAMED_KEPT: Final = timedelta(hours=24)
# What may still be named is not pruned, however long a transaction takes.
MARGIN: Final = timedelta(hours=1)
ROWS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Brought:
    """A file as its bringer describes it; `size` in bytes."""

    id: UUID
    filename: str
    content_type: str
    size: int


def reserve(session: Session, owner: Owner, brought: Brought) -> MailAttachment:
    """Write that a file is coming, or return it if it has come: brought again with its id it is the same one.

    Raises Invalid for one that is too large, AttachmentTaken for an id that is another's, and AttachmentsFull.
    """
    if not 0 < brought.size <= MOST_BYTES:
        raise Invalid(errors=[FieldError("body", f"A file has 1 to {MOST_BYTES} bytes; this one has {brought.size}.")])
    said = {"filename": brought.filename, "content_type": brought.content_type, "size": brought.size}
    found = session.get(MailAttachment, brought.id, with_for_update=True) or MailAttachment(id=brought.id, **owner)
    if owner_of(found) != dict(owner):
        raise AttachmentTaken
    if found.sha256 is not None:
        return found
    others = select(func.sum(MailAttachment.size)).where(is_of(MailAttachment, owner), MailAttachment.id != found.id)
    if (session.scalar(others) or 0) + brought.size > MOST_KEPT:
        raise AttachmentsFull(limit=MOST_KEPT)
    for name, value in said.items():
        setattr(found, name, value)
    session.add(found)
    try:
        session.flush()
    except IntegrityError as error:
        raise AttachmentTaken from error
    return found


def note_stored(session: Session, attachment_id: UUID, stored: Stored) -> MailAttachment:
    """Write that the bytes of a file are in the store. Raises NotFound when it was pruned meanwhile."""
    found = session.get(MailAttachment, attachment_id, with_for_update=True)
    if found is None:
        raise NotFound(resource_type=MailAttachment.noun, resource_id=str(attachment_id))
    found.size, found.sha256 = stored.size, stored.sha256
    session.flush()
    return found


def enclose(session: Session, owner: Owner, notification_id: UUID, ids: Sequence[UUID]) -> None:
    """Let a notification carry files. Raises Invalid, which names each that is none, or where they are too large."""
    fresh = MailAttachment.created_at > database_now() - UNNAMED_KEPT
    mine = select(MailAttachment).where(is_of(MailAttachment, owner), MailAttachment.id.in_(ids), fresh)
    rows = session.scalars(mine.where(MailAttachment.sha256.is_not(None)).with_for_update(read=True))
    found = {row.id: row for row in rows}
    faults = [
        FieldError(f"attachments.{nth}", "Is no file that you have brought within a day.")
        for nth, one in enumerate(ids)
        if one not in found
    ]
    if not faults and sum(row.size for row in found.values()) > MOST_BYTES:
        faults = [FieldError("attachments", f"Together they have at most {MOST_BYTES} bytes.")]
    if faults:
        raise Invalid(errors=faults)
    for position, one in enumerate(dict.fromkeys(ids)):
        session.add(Enclosure(notification_id=notification_id, attachment_id=one, position=position))
    session.flush()


def attachments_of(session: Session, notification_id: UUID) -> list[MailAttachment]:
    """Return the files that a notification carries, in order."""
    mine = select(MailAttachment).join(Enclosure, Enclosure.attachment_id == MailAttachment.id)
    rows = mine.where(Enclosure.notification_id == notification_id).order_by(Enclosure.position)
    return list(session.scalars(rows))


def unclaimed(session: Session) -> list[MailAttachment]:
    """Return some of the files that no notification carries and none will."""
    named = select(Enclosure.attachment_id).where(Enclosure.attachment_id == MailAttachment.id)
    old = MailAttachment.created_at < database_now() - (UNNAMED_KEPT + MARGIN)
    return list(session.scalars(select(MailAttachment).where(old, ~named.exists()).limit(ROWS_AT_ONCE)))


def forget_attachments(session: Session, attachments: Sequence[MailAttachment]) -> None:
    """Delete the rows of files whose bytes are gone."""
    ids = [one.id for one in attachments]
    session.execute(delete(MailAttachment).where(MailAttachment.id.in_(ids)))
