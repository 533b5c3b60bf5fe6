"""Telling users within applications: live to those who are connected, for later to the others."""

from __future__ import annotations

from typing import Final

from app.jobs import Run
from app.notifications import Notification, next_to_tell, tell, topic_of
from tasks.tools import Tools

AT_ONCE: Final = 200


def tell_all(run: Run, notification: Notification, tools: Tools) -> None:
    """Tell everybody who was not told yet; whether they are connected is asked with no session open."""
    while True:
        run.check()
        with run.reading() as session:
            waiting = next_to_tell(session, notification, AT_ONCE)
        if not waiting:
            return
        heard = tools.listeners.heard([topic_of(one.user_id) for one in waiting])
        with run.adding() as session:
            tell(session, notification.id, [one.id for one in waiting], heard)
