"""A stamp: a random value in Redis that says whether what a process keeps of the database may have changed since."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import RedisError

from app.kernel.breaker import Breaker

log = logging.getLogger(__name__)

ANSWER_SECONDS = 0.3
REST_SECONDS = 1.0
STAMP_BYTES = 16


class Stamp:
    """What is read together with a stamp holds while the stamp is the same. A value, not a counter: a Redis that was
    wiped would begin to count again, and what is old would look new.
    """

    def __init__(self, client: redis.Redis, name: str) -> None:
        self._client = client
        self._key = f"headrace:stamp:{name}"
        self._breaker = Breaker(REST_SECONDS)

    @classmethod
    def open(cls, url: str, name: str) -> Stamp:
        """Return the stamp `name` of the Redis at `url`, for processes whose requests wait for it."""
        options: dict[str, Any] = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
        return cls(redis.Redis.from_url(url, protocol=2, retry=None, **options), name)

    def read(self) -> bytes | None:
        """Return the stamp as it is now; None when nothing may be believed: Redis is away, or there was none yet."""
        if not self._breaker.allows():
            return None
        try:
            found: Any = self._client.get(self._key)
            if found is None:
                self._client.set(self._key, secrets.token_bytes(STAMP_BYTES), nx=True)
        except (RedisError, OSError) as error:
            self._breaker.failed()
            log.warning("the stamp cannot be read: %s", type(error).__name__)
            return None
        self._breaker.succeeded()
        return found if isinstance(found, bytes) else None

    def renew(self, _changes: Sequence[object] = ()) -> None:
        """Let nothing that was kept hold any longer. Raises RedisError when Redis is away."""
        self._client.set(self._key, secrets.token_bytes(STAMP_BYTES))
