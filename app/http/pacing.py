"""Files that come too slowly: their senders are cut off, or a few of them would hold the places of all for days."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final

from app.kernel.store import Reads

# In bytes a second; a poor mobile line brings more.
LEAST_RATE: Final = 16 * 1024
GRACE_SECONDS: Final = 15.0


class Paced:
    """Reads from `source`; where that takes too long it ends there, as if `client`, the sender's socket, had been
    closed. Only waiting for the sender counts. Without a socket nobody is cut off."""

    def __init__(self, source: Reads, client: socket.socket | None) -> None:
        self._source = source
        self._client = client

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        timer = threading.Timer(GRACE_SECONDS + size / LEAST_RATE, self._cut_off)
        timer.daemon = True
        timer.start()
        try:
            return self._source.read(size)
        finally:
            timer.cancel()

    def _cut_off(self) -> None:
        # One direction alone, so that the sender is told; of the plain socket, for TLS would wait for its own goodbye.
        if self._client is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._client, socket.SHUT_RD)
