"""When a process of the Procfile counts as ready, as far as that shows from outside."""

import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

from launcher.child import Child
from launcher.supervisor import Gate

# A start that fails, fails on its imports: a process without a sign of its own is believed once it is past them.
SETTLED_SECONDS = 3.0
# A worker says that it is ready; should its words change, living this long is as good.
WORKER_SECONDS = 20.0


def readiness(environment: dict[str, str]) -> Gate:
    """The gate for the processes that run with `environment` (PUBLIC_URL, FLOWER_URL, STREAM_SOCKET)."""

    def is_ready(child: Child) -> bool:
        if child.name == "web":
            return answers(environment["PUBLIC_URL"] + "/health/ready")
        if child.name == "flower":
            return answers(environment["FLOWER_URL"] + "/healthcheck")
        if child.name == "stream":
            return accepts(Path(environment["STREAM_SOCKET"]))
        if child.name.startswith("worker"):
            return child.age > WORKER_SECONDS or any("ready." in line for line in tuple(child.tail))
        return child.age > SETTLED_SECONDS

    return is_ready


def answers(url: str) -> bool:
    """True when a GET of the address is answered with 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def accepts(path: Path) -> bool:
    """True when somebody listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True
