"""PostgreSQL and a Redis-compatible server from their wheels, as processes of ours: no system package, no daemon.

Each server owns one directory (data, password, log), listens on 127.0.0.1 only, asks for a password made by its first
start, and dies with the thread that started it. Start one from the main thread.
"""

from launcher.embedded.postgres import EmbeddedPostgres
from launcher.embedded.redis import EmbeddedRedis
from launcher.embedded.server import ServerFailed

__all__ = ["EmbeddedPostgres", "EmbeddedRedis", "ServerFailed"]
