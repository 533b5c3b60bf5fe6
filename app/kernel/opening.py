"""Opening the platform's two servers the same way in every process."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from app.kernel.audit import write_audit
from app.kernel.breaker import Breaker
from app.kernel.db import Database
from app.kernel.engine import Bounds, bounded_engine, make_engine
from app.kernel.stream import RedisLive, write_published

REDIS_SECONDS = 1.0
# How long a database that let a request wait in vain is not asked by others.
REST_SECONDS = 1.0


def open_redis(url: str, **options: Any) -> redis.Redis:
    """Return a client that gives up after a second: Redis is a view that may be lost, nobody waits for it.

    A connection that Redis has closed is made anew, once. The client's own default is three tries with growing pauses.
    """
    defaults: dict[str, Any] = {
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        "health_check_interval": 30,
        "protocol": 2,
    }
    return redis.Redis.from_url(url, **(defaults | options))


def open_database(
    url: str, client: redis.Redis | None, *, pool_size: int = 5, bounds: Bounds | None = None
) -> Database:
    """Return the database with its streams: written before each commit, carried to Redis after it.

    With `bounds`, for processes somebody waits for, it keeps within them, and lets nobody wait for what has just let
    another wait in vain.
    """
    engine = bounded_engine(url, bounds) if bounds else make_engine(url, pool_size=pool_size)
    breaker = Breaker(REST_SECONDS) if bounds else None
    database = Database(engine, before_commit=(write_audit, write_published), breaker=breaker)
    if client is not None:
        database.listen("stream", RedisLive(client).send)
    return database
