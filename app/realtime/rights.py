"""The right to listen ends with the login or the membership it came from, not only at the next request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Collection
from typing import Protocol

from sqlalchemy.orm import Session

from app.kernel.db import Database
from app.realtime.feed import AWAY
from app.realtime.hub import Hub
from app.realtime.listener import Listener, Right

log = logging.getLogger(__name__)

# Streams end within five seconds of the right; this leaves one for the look itself.
LOOK_SECONDS = 4.0


class Ended(Protocol):
    """Tells which of these rights are gone. Runs in a thread and in a transaction of its own."""

    def __call__(self, session: Session, rights: Collection[Right]) -> Collection[Right]: ...


async def end_with_rights(hub: Hub, database: Database, ended: Ended) -> None:
    """Let nobody hear what they may not hear any more.

    The end of an access token alone ends no stream whose login lives on: the client holds a refresh token.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        listeners: dict[Right, list[Listener]] = defaultdict(list)
        for listener in hub.listeners:
            for right in listener.rights:
                listeners[right].append(listener)
        try:
            gone: set[Right] = await hub.read(_find_ended, database, ended, list(listeners))
        except AWAY as error:
            log.warning("rights cannot be looked at: %s", type(error).__name__)
            continue
        for listener in {listener for right in gone for listener in listeners[right]}:
            listener.lose(gone)


def _find_ended(database: Database, ended: Ended, rights: Collection[Right]) -> set[Right]:
    now = time.time()
    known = [right for right in rights if right.session_id or right.key_id]
    expired = {right for right in set(rights).difference(known) if (right.expires_at or now) < now}
    if not known:
        return expired
    with database.transaction() as session:
        return expired | set(ended(session, known))
