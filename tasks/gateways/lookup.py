"""Where a host name leads: asked once, so that what is checked is what is connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

POLL_SECONDS = 0.25

Keep = Callable[[], None]


def look_up(host: str, port: int, keep: Keep) -> list[str]:
    """Return the addresses of a host, none where it cannot be found.

    `keep` is called every quarter second; what it raises ends the waiting. In a thread of its own: a name server that
    is away holds the call for half a minute, uninterruptibly.
    """
    answers: SimpleQueue[list[str]] = SimpleQueue()
    Thread(target=lambda: answers.put(_ask(host, port)), name="look-up", daemon=True).start()
    while True:
        keep()
        with suppress(Empty):
            return answers.get(timeout=POLL_SECONDS)


def _ask(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
