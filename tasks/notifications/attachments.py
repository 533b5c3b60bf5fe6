"""Files that mails carry, read before the mails are sent."""

from __future__ import annotations

from app.jobs import Run
from app.notifications import Notification, attachments_of
from tasks.notifications.gateways import Attachment
from tasks.tools import Tools


def read_attachments(run: Run, notification: Notification, tools: Tools) -> tuple[Attachment, ...]:
    """Return the files that a notification carries; raises BlobMissing or StoreAway."""
    with run.reading() as session:
        carried = attachments_of(session, notification.id)
    read = tools.artifact_store.read
    return tuple(Attachment(one.filename, one.content_type, read(one.key)) for one in carried)
