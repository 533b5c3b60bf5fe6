"""The stream process: serves the streams whose sockets the API hands over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection
from uuid import uuid4

from sqlalchemy.orm import Session

from app.http import RateLimiter, parse_limits
from app.identity import TokenReader, rights_ended
from app.kernel.crypto import Vault
from app.kernel.errors import RateLimited
from app.kernel.live import LiveReader
from app.kernel.opening import open_database, open_redis
from app.kernel.presence import RedisPresence
from app.kernel.principal import Principal
from app.kernel.store import BlobStore
from app.messaging import memberships_ended
from app.pipelines import LogFollower, LogReader
from app.realtime import Parts, Right, run_streams
from config.logs import set_up_logging
from config.settings import Settings, load_settings

CONNECTIONS = 4


async def serve(settings: Settings) -> None:
    """Serve streams until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = open_database(settings.database_url, open_redis(settings.redis_url), pool_size=CONNECTIONS)
    live = LiveReader.open(settings.redis_url)
    presence = RedisPresence.open(settings.redis_url, uuid4().hex)
    parts = Parts(
        socket_path=settings.stream_socket,
        max_streams=settings.max_streams,
        database=database,
        live=live,
        log_reader=LogFollower(LogReader(database, BlobStore(settings.log_store))),
        callers=TokenReader(database, Vault(*settings.secret_keys), settings.public_url),
        ended=_ended,
        presence=presence,
        count_message=limit_messages(settings),
        max_websockets_per_client=settings.max_websockets_per_client,
    )
    try:
        await run_streams(parts, stop)
    finally:
        await live.close()
        await presence.close()


def _ended(session: Session, rights: Collection[Right]) -> set[Right]:
    return {*rights_ended(session, rights), *memberships_ended(session, rights)}


def limit_messages(settings: Settings) -> Callable[[Principal], None]:
    """Return what counts a message of a caller, together with those that come by the API."""
    limiter, limits = RateLimiter(settings.redis_url), parse_limits(settings.rate_limit_message)

    def count(caller: Principal) -> None:
        standing = limiter.hit(f"message:{caller.counted_as}", limits) if settings.rate_limits else None
        if standing is not None and standing.retry_after:
            window = standing.limit.get_expiry()
            raise RateLimited(limit=standing.limit.amount, window=window, retry_after=standing.retry_after)

    return count


def main() -> None:
    """Run by the settings of the environment."""
    settings = load_settings()
    set_up_logging(settings, "stream")
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
