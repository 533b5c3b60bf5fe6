"""The live end of the streams: one reader a process follows Redis' copy of all new events.

It promises nothing: entries may be lost while Redis is away, wiped, restarted or trimmed. Whenever that may have
happened it says so, and the rows tell what was missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import orjson
import redis.asyncio
from redis.exceptions import RedisError

from app.kernel.stream import LIVE_KEY, LIVE_LENGTH, Delivered

log = logging.getLogger(__name__)

BLOCK_SECONDS = 2.0
# More than BLOCK_SECONDS: a Redis that hangs is noticed by this.
ANSWER_SECONDS = 4.0
RETRY_SECONDS = 1.0
BATCH = 1000

OnEvents = Callable[[Sequence[Delivered]], None]
OnGap = Callable[[], None]


class LiveReader:
    """Follows the stream that `RedisLive` writes."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client

    @classmethod
    def open(cls, url: str) -> LiveReader:
        """Return a reader of the Redis at `url`; connects when it follows."""
        client = redis.asyncio.Redis.from_url(
            url, protocol=2, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=2.0, retry=None
        )
        return cls(client)

    async def follow(self, on_events: OnEvents, on_gap: OnGap) -> NoReturn:
        """Call `on_events` with each batch of new events, and `on_gap` when some may have been missed: once when Redis
        is there, each RETRY_SECONDS while it is away."""
        away = False
        while True:
            try:
                position = await self._newest()
                if away:
                    log.info("Redis is back")
                away = False
                on_gap()
                await self._follow_from(position, on_events, on_gap)
            except (RedisError, OSError) as error:
                if not away:
                    log.warning("Redis is away, streams follow the rows: %s", error)
                away = True
                on_gap()
                await asyncio.sleep(RETRY_SECONDS)

    async def tell(self, event: Delivered) -> None:
        """Tell something that is not kept to all stream processes; without Redis nobody hears it."""
        try:
            await self._client.xadd(LIVE_KEY, {b"e": orjson.dumps(event)}, maxlen=LIVE_LENGTH, approximate=True)
        except (RedisError, OSError) as error:
            log.debug("something that is not kept was not told: %s", error)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _newest(self) -> bytes:
        # Not `$`: an entry added between two reads from `$` would be seen by neither.
        entries: Any = await self._client.xrevrange(LIVE_KEY, count=1)
        return bytes(entries[0][0]) if entries else b"0-0"

    async def _follow_from(self, position: bytes, on_events: OnEvents, on_gap: OnGap) -> NoReturn:
        while True:
            reply: Any = await self._client.xread({LIVE_KEY: position}, count=BATCH, block=int(BLOCK_SECONDS * 1000))
            if not reply:
                continue
            entries = reply[0][1]
            position = entries[-1][0]
            try:
                events = [Delivered(**orjson.loads(fields[b"e"])) for _, fields in entries]
            except (KeyError, TypeError, ValueError):
                # Written by another release; the rows are read by everyone.
                log.warning("some live events could not be read")
                on_gap()
            else:
                on_events(events)
