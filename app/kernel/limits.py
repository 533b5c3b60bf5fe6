"""Rate limits: sliding-window counters in Redis, any number of them counted in one round trip.

A counter keeps the current and the previous window; the previous one weighs by the share of it that still lies in the
sliding window, so memory is constant and no burst of twice the limit passes at a window's edge. A request that one
limit refuses is counted by none. Without Redis every request passes: a limiter that is away must not stop the API.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis
from redis.commands.core import Script

log = logging.getLogger(__name__)

# The algorithm is part of the key: counters of another one, met under the same key, would be errors or nonsense.
PREFIX = "headrace:limit:sliding:"
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
REST_AFTER_FAILURE = 1.0

_LIMIT = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,4})?(second|minute|hour|day)s?")

_HIT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local refused, answer, counted = 0, {}, {}
for i, key in ipairs(KEYS) do
  local limit, span = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local window, elapsed = math.floor(now / span), now % span
  local row = redis.call('HMGET', key, 'w', 'c', 'p')
  local last, current, previous = tonumber(row[1]), tonumber(row[2]) or 0, tonumber(row[3]) or 0
  if last ~= window then
    previous = last == window - 1 and current or 0
    current = 0
  end
  local left = limit - current - previous * (span - elapsed) / span
  local wait = 0
  if left < 1 then
    refused = 1
    if current < limit then
      wait = span * (1 - (limit - 1 - current) / previous) - elapsed
    else
      wait = span - elapsed + span * (1 - (limit - 1) / current)
    end
  end
  counted[i] = {key, window, current, previous, span}
  answer[i] = {math.max(0, math.floor(left)), (window + 1) * span, math.ceil(wait)}
end
if refused == 0 then
  for _, row in ipairs(counted) do
    redis.call('HSET', row[1], 'w', row[2], 'c', row[3] + 1, 'p', row[4])
    redis.call('PEXPIRE', row[1], 2 * row[5])
  end
end
return {refused, answer}
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` requests in any `seconds`."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands with its tightest limit; `reset` is in epoch seconds, `retry_after` is 0 when it passed."""

    limit: Limit
    remaining: int
    reset: int
    retry_after: int


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Read limits such as `5000/hour;100/minute` or `5/15minutes`; raises ValueError."""
    found = [_LIMIT.fullmatch(part.strip()) for part in text.split(";")]
    if None in found:
        raise ValueError(f"{text!r} is not a limit such as 5000/hour;100/minute")
    return tuple(Limit(int(m[1]), int(m[2] or 1) * SECONDS[m[3]]) for m in found if m)


class RateLimiter:
    """Counts requests against limits."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._script: Script = client.register_script(_HIT)
        self._rest_until = 0.0

    def hit(self, subject: str, limits: Sequence[Limit]) -> Standing | None:
        """Count one request of `subject`; None when Redis is away.

        After a failure Redis is left alone for a second, so that a hanging one costs few requests its time-out.
        """
        if time.monotonic() < self._rest_until:
            return None
        keys = [f"{PREFIX}{subject}:{limit.count}/{limit.seconds}" for limit in limits]
        arguments = [value for limit in limits for value in (limit.count, limit.seconds * 1000)]
        try:
            refused, rows = self._script(keys=keys, args=arguments)
        except (redis.RedisError, OSError) as error:
            self._rest_until = time.monotonic() + REST_AFTER_FAILURE
            log.warning("requests are not limited: %s", type(error).__name__)
            return None
        return _tightest(limits, rows, passed=not refused)

    def ping(self) -> bool:
        """Tell whether Redis answers."""
        try:
            return bool(self._client.ping())
        except (redis.RedisError, OSError):
            return False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _tightest(limits: Sequence[Limit], rows: list[list[int]], *, passed: bool) -> Standing:
    standings = [
        Standing(limit, max(0, left - passed), -(-reset // 1000), -(-wait // 1000))
        for limit, (left, reset, wait) in zip(limits, rows, strict=True)
    ]
    return max(standings, key=lambda standing: (standing.retry_after, -standing.remaining / standing.limit.count))
