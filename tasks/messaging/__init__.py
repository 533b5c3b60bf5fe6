"""What workers do for chat rooms."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import Any

from app.jobs import Run
from app.messaging import (
    PruneMessages,
    SweepRooms,
    forget_attachments,
    forget_old_announcements,
    forget_old_changes,
    forget_old_messages,
    put_to_sleep,
    unclaimed,
)
from tasks.forgetting import forget_all, forget_files
from tasks.handling import handles
from tasks.tools import Tools


@handles(SweepRooms)
def sweep_rooms(run: Run, _: SweepRooms, __: Tools) -> dict[str, Any]:
    """Put the rooms to sleep in which nothing was said for long."""
    return {"rooms": forget_all(run, put_to_sleep)}


@handles(PruneMessages)
def prune_messages(run: Run, _: PruneMessages, tools: Tools) -> dict[str, Any]:
    """Delete the messages that are older than their application keeps them, and the files that no message carries."""
    days = tools.message_days
    return {
        "messages": forget_all(run, partial(forget_old_messages, days=days)),
        "changes": forget_all(run, partial(forget_old_changes, days=days)),
        "announcements": forget_all(run, partial(forget_old_announcements, days=days)),
        "attachments": forget_files(run, tools.artifact_store, unclaimed, attrgetter("folder"), forget_attachments),
    }
