"""Files that mails carry: read before the mails are sent, deleted once no notification carries them."""

from __future__ import annotations

from app.jobs import Run
from app.notifications import Notification, attachments_of, forget_attachments, unclaimed
from tasks.notifications.gateways import Attachment
from tasks.tools import Tools


def read_attachments(run: Run, notification: Notification, tools: Tools) -> tuple[Attachment, ...]:
    """Return the files that a notification carries; raises BlobMissing or StoreAway."""
    with run.reading() as session:
        carried = attachments_of(session, notification.id)
    read = tools.artifact_store.read
    return tuple(Attachment(one.filename, one.content_type, read(one.key)) for one in carried)


def delete_attachments(run: Run, tools: Tools) -> int:
    """Delete what is to go, first the bytes, then the rows, so that nothing is left that nobody names; returns how many
    there were. Raises StoreAway."""
    deleted = 0
    while True:
        run.check()
        with run.reading() as session:
            gone = unclaimed(session)
        if not gone:
            return deleted
        for attachment in gone:
            tools.artifact_store.delete(attachment.key)
        with run.recording() as (session, _):
            forget_attachments(session, gone)
        deleted += len(gone)
