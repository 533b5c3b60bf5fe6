"""Opening the platform's two servers the same way in every process."""

from __future__ import annotations

from typing import Any

import redis

from app.kernel.db import Database, make_engine
from app.kernel.stream import RedisLive, write_published

REDIS_SECONDS = 2.0


def open_redis(url: str, **options: Any) -> redis.Redis:
    """Return a client that gives up after two seconds: Redis is a view that may be lost, nobody waits for it."""
    defaults: dict[str, Any] = {
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "health_check_interval": 30,
        "protocol": 2,
    }
    return redis.Redis.from_url(url, **(defaults | options))


def open_database(url: str, client: redis.Redis | None, *, pool_size: int = 5) -> Database:
    """Return the database with its streams: written before each commit, carried to Redis after it."""
    database = Database(make_engine(url, pool_size=pool_size), before_commit=(write_published,))
    if client is not None:
        database.listen("stream", RedisLive(client).send)
    return database
