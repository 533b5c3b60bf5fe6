"""Carrying hints to the broker after the commit; what the broker does not take is marked, for the relay to send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from app.jobs.repair import mark_unsent
from app.jobs.service import Hint
from app.kernel.db import Database


class Sender(Protocol):
    """Carries hints to the workers."""

    def send(self, hints: Sequence[Hint], /) -> Sequence[UUID]:
        """Send the hints and return the ids of the jobs whose hint could not be sent; raises nothing."""
        ...


def send_accepted(database: Database, sender: Sender) -> None:
    """Let `sender` carry the hint of every job that is accepted in `database`."""

    def send(hints: Sequence[Hint]) -> None:
        send_or_mark(database, sender, hints)

    database.listen("jobs", send)


def send_or_mark(database: Database, sender: Sender, hints: Sequence[Hint]) -> None:
    """Send hints; those that could not be sent are sent by the relay at its next look, not when they have grown old."""
    unsent = sender.send(hints)
    if unsent:
        with database.transaction() as session:
            mark_unsent(session, unsent)
