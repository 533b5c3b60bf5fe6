"""What a source is to the rest of the platform."""

from __future__ import annotations

from typing import Protocol

from app.monitoring import Received


class Source(Protocol):
    """A server that has samples, asked by one thread."""

    def read(self, after: int, until: int) -> Received:
        """Return its samples of `after < time <= until`, in seconds since the epoch; one that remembers nothing tells
        how things are now. What it has that cannot be kept is counted in `rejected`.

        At most MOST_SERIES series and MOST_POINTS samples come at once. Raises SourceAway, SourceRefused, QueryRefused,
        Unreadable, and TooMuch where a shorter time may do.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...
