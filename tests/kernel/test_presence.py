"""Who listens where, known to all processes by Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio

from app.kernel.presence import RedisPresence


@asynccontextmanager
async def two_processes(url: str) -> AsyncIterator[list[RedisPresence]]:
    """Yield what each of two processes knows."""
    async with AsyncExitStack() as stack:
        processes = [RedisPresence.open(url, name) for name in ("first", "second")]
        for one in processes:
            stack.push_async_callback(one.close)
        yield processes


def test_who_is_there_in_two_processes_is_gone_when_both_have_lost_them(redis_url: str) -> None:
    topic = f"room:{uuid4()}"

    async def walk() -> None:
        async with two_processes(redis_url) as (first, second):
            assert [await first.enter(topic, "ann"), await second.enter(topic, "ann")] == [True, False]
            assert await second.users([topic]) == {topic: ["ann"]}
            assert not await first.leave(topic, "ann")
            assert await second.leave(topic, "ann")
            assert await first.users([topic]) == {topic: []}

    asyncio.run(walk())


def test_who_is_in_a_hundred_rooms_is_asked_in_one_round_trip(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    topics = [f"room:{uuid4()}" for _ in range(100)]
    sent: list[Any] = []
    send = redis.asyncio.Connection.send_packed_command

    async def counted(connection: redis.asyncio.Connection, command: Any, *arguments: Any, **options: Any) -> None:
        sent.append(command)
        await send(connection, command, *arguments, **options)

    async def walk() -> None:
        async with two_processes(redis_url) as (first, second):
            await first.stay([(topic, user) for topic in topics for user in ("bob", "ann")])
            await second.users(topics[:1])
            monkeypatch.setattr(redis.asyncio.Connection, "send_packed_command", counted)
            assert await second.users(topics) == {topic: ["ann", "bob"] for topic in topics}
            assert await second.users([]) == {}

    asyncio.run(walk())
    assert len(sent) == 1


def test_without_redis_nobody_is_known_to_be_there() -> None:
    async def walk() -> None:
        async with two_processes("redis://127.0.0.1:1/0") as (first, _):
            assert await first.users(["room:a", "room:b"]) == {"room:a": [], "room:b": []}
            assert not await first.enter("room:a", "ann")

    asyncio.run(walk())
