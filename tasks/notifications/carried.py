"""Handing notifications over to the room that carries their channel, which then does the rest."""

from __future__ import annotations

from typing import Final

from app.jobs import Run
from app.notifications import Notification, carry_some

AT_ONCE: Final = 200


def hand_over_all(run: Run, notification: Notification) -> None:
    """Hand over for everybody who waits."""
    taken = AT_ONCE
    while taken == AT_ONCE:
        run.check()
        with run.adding() as session:
            taken = carry_some(session, notification.id, AT_ONCE)
