"""Sending a notification: to some recipients at once, each by the first provider that takes the mail. What is to be
tried later lets the job wait in its queue, and no worker."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.notifications import (
    begin,
    copies_of,
    count_ended,
    find_providers,
    finish,
    is_carried,
    lock_notification,
    owner_of,
    seconds_to_next,
)
from tasks.notifications.attachments import read_attachments
from tasks.notifications.carried import hand_over_all
from tasks.notifications.in_app import tell_all
from tasks.notifications.mailing import Mailing
from tasks.notifications.writing import Writer
from tasks.tools import Tools

GOES_ON: Final = "The sending goes on."
WAITING: Final = "Some recipients are tried again later."


def send_notification(run: Run, notification_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Send to all who wait; raises as runs do. Returns None where the job waits for a later turn."""
    with run.adding() as session:
        notification = begin(session, notification_id)
        opened = find_providers(session, tools.vault, owner_of(notification))
        copies, ended = copies_of(session, notification), count_ended(session, notification_id)
    if is_carried(notification.type):
        hand_over_all(run, notification)
        return _end(run, notification_id)
    tell_all(run, notification, tools)
    writer = Writer(notification, copies, read_attachments(run, notification, tools), tools)
    Mailing(run, notification, writer, opened, tools.webhooks.destinations.addresses).send_all(ended)
    return _end(run, notification_id)


def _end(run: Run, notification_id: UUID) -> dict[str, Any] | None:
    with run.recording() as (session, job):
        notification = lock_notification(session, notification_id)
        seconds = seconds_to_next(session, notification_id)
        if seconds is None:
            result = {"recipients": finish(session, notification)}
            run.finish(session, job, result)
            return result
        if seconds > 0:
            notification.wait()
        run.wait(session, job, seconds, WAITING if seconds > 0 else GOES_ON)
    return None
