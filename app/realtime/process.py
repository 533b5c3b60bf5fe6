"""The stream process: everything that runs in its event loop, from the first client to the last goodbye."""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Never, Protocol

from app.kernel.db import Database
from app.kernel.handover import StreamRequest
from app.kernel.stream import Delivered
from app.realtime.beats import Beats
from app.realtime.frames import retry_in
from app.realtime.hub import Hub
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

    async def follow(self, on_events: Callable[[Sequence[Delivered]], None], on_gap: Callable[[], None]) -> Never: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the stream process is made of."""

    socket_path: Path
    max_streams: int
    database: Database
    live: LiveEvents
    log_reader: LogReader
    ended: Ended


async def run_streams(parts: Parts, stop: asyncio.Event) -> None:
    """Serve streams until `stop` is set; then say goodbye to all and return within GOODBYE_SECONDS or little more."""
    hub = Hub(parts.database, parts.log_reader)
    beats = Beats()
    most = min(parts.max_streams, _descriptors() - OWN_DESCRIPTORS)

    def adopt(client: socket.socket, request: StreamRequest) -> None:
        beats.add(hub.listen(client, request))

    reception = Reception(parts.socket_path, lambda coming: len(hub.listeners) + coming < most, adopt)
    reception.open()
    log.info("streams are served at %s, %d at most", parts.socket_path, most)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(parts.live.follow(hub.hear, hub.look_now)),
                group.create_task(hub.follow_rows()),
                group.create_task(end_with_rights(hub, parts.database, parts.ended)),
                group.create_task(beats.run()),
            ]
            await stop.wait()
            reception.close()
            await _say_goodbye(hub)
            for task in tasks:
                task.cancel()
    finally:
        reception.close()
        hub.close()


async def _say_goodbye(hub: Hub) -> None:
    log.info("%d streams are closed; their clients are asked to come again", len(hub.listeners))
    for listener in tuple(hub.listeners):
        listener.finish(retry_in(random.randint(*RETURN_MILLISECONDS)))  # noqa: S311  spreads the load, hides nothing
    with suppress(TimeoutError):
        await asyncio.wait_for(hub.is_empty.wait(), GOODBYE_SECONDS)
    for listener in tuple(hub.listeners):
        listener.connection.drop()


def _descriptors() -> int:
    """Raise the limit of open files as far as it may be raised, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
