"""The stream process: serves the streams whose sockets the API hands over."""

from __future__ import annotations

import asyncio
import signal

from app.identity import TokenReader, rights_ended
from app.kernel.crypto import Vault
from app.kernel.live import LiveReader
from app.kernel.opening import open_database
from app.kernel.store import BlobStore
from app.pipelines import LogFollower, LogReader
from app.realtime import Parts, run_streams
from config.logs import set_up_logging
from config.settings import Settings, load_settings

CONNECTIONS = 4


async def serve(settings: Settings) -> None:
    """Serve streams until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = open_database(settings.database_url, None, pool_size=CONNECTIONS)
    live = LiveReader.open(settings.redis_url)
    parts = Parts(
        socket_path=settings.stream_socket,
        max_streams=settings.max_streams,
        database=database,
        live=live,
        log_reader=LogFollower(LogReader(database, BlobStore(settings.log_store))),
        callers=TokenReader(database, Vault(*settings.secret_keys), settings.public_url),
        ended=rights_ended,
        max_websockets_per_client=settings.max_websockets_per_client,
    )
    try:
        await run_streams(parts, stop)
    finally:
        await live.close()


def main() -> None:
    """Run by the settings of the environment."""
    settings = load_settings()
    set_up_logging(settings, "stream")
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
