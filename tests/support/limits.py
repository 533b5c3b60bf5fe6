"""Rate limiters for tests."""

from __future__ import annotations

from app.http import RateLimiter
from launcher.ports import free_port


def open_limiter(url: str) -> RateLimiter:
    """Return a limiter on the Redis at `url`."""
    return RateLimiter(url)


def away_limiter() -> RateLimiter:
    """Return a limiter whose Redis is not there."""
    return open_limiter(f"redis://127.0.0.1:{free_port()}/0")
