"""Who is there: which users listen to a topic, in all processes together.

Kept in Redis alone and only for a while: each process says again and again who is with it, so that those of one that
was killed fade. Without Redis nobody is known to be there.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any, Final

import redis
import redis.asyncio
from redis.exceptions import RedisError

KEPT_SECONDS: Final = 30.0
_ALL: Final = "headrace:present:"

Present = tuple[str, str]
"""A topic, and the id of a user."""


class RedisPresence:
    """What one process, known by `process`, tells of its listeners. A topic has a set of users, and each of them one of
    processes; members of both have the time at which they fade as their score. Failures of Redis change nothing."""

    def __init__(self, client: redis.asyncio.Redis, process: str) -> None:
        self._client = client
        self._process = process

    @classmethod
    def open(cls, url: str, process: str) -> RedisPresence:
        """Return the presence kept in the Redis at `url`."""
        client = redis.asyncio.Redis.from_url(
            url, protocol=2, socket_timeout=1.0, socket_connect_timeout=1.0, retry=None, decode_responses=True
        )
        return cls(client, process)

    async def enter(self, topic: str, user_id: str) -> bool:
        """Note that a user listens here; tells whether they were nowhere before."""
        now = time.time()
        pipe = self._client.pipeline(transaction=True)
        pipe.zremrangebyscore(_of(topic, user_id), "-inf", now)
        pipe.zcard(_of(topic, user_id))
        self._say(pipe, (topic, user_id), now)
        found = await _execute(pipe)
        return bool(found) and found[1] == 0

    async def leave(self, topic: str, user_id: str) -> bool:
        """Note that a user does not listen here any more; tells whether they are nowhere now."""
        pipe = self._client.pipeline(transaction=True)
        pipe.zrem(_of(topic, user_id), self._process)
        pipe.zremrangebyscore(_of(topic, user_id), "-inf", time.time())
        pipe.zcard(_of(topic, user_id))
        found = await _execute(pipe)
        if not found or found[2]:
            return False
        return await self._forget(topic, user_id)

    async def stay(self, present: Collection[Present]) -> None:
        """Say again who listens here."""
        now = time.time()
        pipe = self._client.pipeline(transaction=False)
        for one in present:
            self._say(pipe, one, now)
        if present:
            await _execute(pipe)

    async def users(self, topics: Collection[str]) -> dict[str, list[str]]:
        """Return who listens to each of the topics, asked in one round trip."""
        now = time.time()
        pipe = self._client.pipeline(transaction=False)
        for topic in topics:
            pipe.zrangebyscore(_ALL + topic, now, "+inf")
        found = await _execute(pipe) if topics else []
        return {topic: [] for topic in topics} | {
            topic: sorted(some) for topic, some in zip(topics, found, strict=False)
        }

    async def faded(self, topics: Collection[str]) -> list[Present]:
        """Return those whose process has said nothing for long, each told to one process only."""
        now = time.time()
        pipe = self._client.pipeline(transaction=False)
        for topic in topics:
            pipe.zrangebyscore(_ALL + topic, "-inf", now)
        found = await _execute(pipe) if topics else []
        gone = [(topic, user_id) for topic, users in zip(topics, found, strict=False) for user_id in users]
        return [(topic, user_id) for topic, user_id in gone if await self._forget(topic, user_id)]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _forget(self, topic: str, user_id: str) -> bool:
        pipe = self._client.pipeline(transaction=False)
        pipe.zrem(_ALL + topic, user_id)
        found = await _execute(pipe)
        return bool(found) and found[0] == 1

    def _say(self, pipe: Any, present: Present, now: float) -> None:
        topic, user_id = present
        for key, member in ((_of(topic, user_id), self._process), (_ALL + topic, user_id)):
            pipe.zadd(key, {member: now + KEPT_SECONDS})
            pipe.expire(key, int(KEPT_SECONDS * 4))


class Listeners:
    """Reads who is there, for those who may wait for it: workers. Without Redis nobody is known to be there."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def heard(self, topics: Sequence[str]) -> set[str]:
        """Return those of the topics that somebody listens to by WebSocket."""
        now = time.time()
        try:
            pipe = self._client.pipeline(transaction=False)
            for topic in topics:
                pipe.zcount(_ALL + topic, now, "+inf")
            counts = pipe.execute() if topics else []
        except (RedisError, OSError):
            return set()
        return {topic for topic, count in zip(topics, counts, strict=True) if count}


def _of(topic: str, user_id: str) -> str:
    return f"{_ALL}{topic}:{user_id}"


async def _execute(pipe: Any) -> list[Any]:
    try:
        return list(await pipe.execute())
    except (RedisError, OSError):
        return []
