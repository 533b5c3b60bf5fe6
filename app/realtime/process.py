"""The stream process: everything that runs in its event loop, from the first client to the last goodbye."""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import socket
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never, Protocol

from app.kernel.db import Database
from app.kernel.handover import StreamRequest
from app.kernel.stream import Delivered
from app.realtime.admission import Admission, Callers, CountMessage
from app.realtime.beats import Beats
from app.realtime.hub import Hub
from app.realtime.presence import Presence, PresenceStore
from app.realtime.readings import LogReader
from app.realtime.reception import Reception
from app.realtime.rights import Ended, end_with_rights

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 1.0
# Everyone who is sent away comes back, and should not do so at once.
RETURN_MILLISECONDS = (500, 3000)
OWN_DESCRIPTORS = 100


class LiveEvents(Protocol):
    """Brings new events, and tells when some may have been lost."""

    async def tell(self, event: Delivered) -> None: ...

    async def follow(self, on_events: Callable[[Sequence[Delivered]], None], on_gap: Callable[[], None]) -> Never: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the stream process is made of."""

    socket_path: Path
    max_streams: int
    database: Database
    live: LiveEvents
    log_reader: LogReader
    callers: Callers
    ended: Ended
    count_message: CountMessage
    presence: PresenceStore
    max_websockets_per_client: int = 10
    beat_seconds: int = 15
    auth_seconds: float = 10.0


async def run_streams(parts: Parts, stop: asyncio.Event) -> None:
    """Serve streams until `stop` is set; then say goodbye to all and return within GOODBYE_SECONDS or little more."""
    admission = Admission(parts.database, parts.callers, parts.count_message)
    most_each = parts.max_websockets_per_client
    presence = Presence(parts.presence, parts.live.tell)
    hub = Hub(parts.database, parts.log_reader, admission, most_each, parts.auth_seconds, parts.live.tell, presence)
    beats = Beats(parts.beat_seconds)
    most = _room(parts.max_streams)

    def adopt(client: socket.socket, request: StreamRequest) -> None:
        beats.add(hub.listen(client, request))

    def has_room(coming: int) -> bool:
        return len(hub.listeners) + coming < most

    reception = Reception(parts.socket_path, has_room, adopt, lambda: hub.counts)
    reception.open()
    log.info("streams are served at %s, %d at most", parts.socket_path, most)
    work: list[Coroutine[Any, Any, object]] = [
        parts.live.follow(hub.hear, hub.look_now),
        hub.follow_rows(),
        end_with_rights(hub, parts.database, parts.ended),
        beats.run(),
        presence.run(),
        stop.wait(),
    ]
    tasks = [asyncio.create_task(part) for part in work]
    try:
        # None of the others ends by itself; should one fail, this process is of no use any more.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        reception.close()
        await _say_goodbye(hub)
    finally:
        await _cancel(tasks)
        hub.close()
    for task in done:
        task.result()


async def _say_goodbye(hub: Hub) -> None:
    log.info("%d streams are closed; their clients are asked to come again", len(hub.listeners))
    for listener in tuple(hub.listeners):
        listener.send_away(random.randint(*RETURN_MILLISECONDS))  # noqa: S311  spreads the load, hides nothing
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await hub.is_empty.wait()
    for listener in tuple(hub.listeners):
        listener.connection.drop()


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until it is done: `asyncio.wait_for` of Python 3.11, which redis-py uses, may swallow a cancellation
    (https://github.com/python/cpython/issues/86296)."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.1)


def _room(max_streams: int) -> int:
    """Raise the limit of open files as far as that many streams need; returns how many streams it allows."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max_streams + OWN_DESCRIPTORS
    if allowed < needed:
        allowed = needed if most == resource.RLIM_INFINITY else min(needed, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return min(max_streams, allowed - OWN_DESCRIPTORS)
