"""Health: whether this process lives, whether it can serve, and how the parts of the platform are."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.http.platform import Platform
from app.http.rate_limiter import RateLimiter
from app.kernel.db import Trouble
from app.kernel.handover import ping as ping_streams
from app.kernel.outages import outage_of
from app.kernel.version import VERSION

log = logging.getLogger(__name__)

Status = Literal["healthy", "degraded", "unhealthy"]

STARTED = time.monotonic()
TROUBLE_SECONDS = 30.0
WORST: tuple[Status, ...] = ("healthy", "degraded", "unhealthy")


@dataclass(frozen=True, slots=True)
class Finding:
    """How a part is; `message` tells an operator what follows from it."""

    status: Status
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """A part to look at; a look that fails is `unhealthy` when the part is `vital`, else `degraded`."""

    name: str
    look: Callable[[], Finding]
    vital: bool = False

    def run(self) -> dict[str, Any]:
        """Return what the look found and how long it took."""
        started = time.perf_counter()
        try:
            found = self.look()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a look is what it found
            log.warning("health check %s failed: %s", self.name, type(error).__name__)
            found = Finding("unhealthy" if self.vital else "degraded", f"The look failed: {type(error).__name__}.")
        taken = round((time.perf_counter() - started) * 1000, 1)
        return {"name": self.name, "status": found.status, "message": found.message, "duration_ms": taken}


def report(checks: list[Check]) -> dict[str, Any]:
    """Run the checks; the whole is as bad as its worst part."""
    findings = [check.run() for check in checks]
    status = max((finding["status"] for finding in findings), key=WORST.index, default="healthy")
    return {
        "status": status,
        "version": VERSION,
        "uptime_seconds": round(time.monotonic() - STARTED, 1),
        "checks": findings,
    }


def own_checks(parts: Platform) -> list[Check]:
    """Return the checks of what the API itself stands on."""
    return [
        Check("database", lambda: _look_at_database(parts), vital=True),
        Check("redis", lambda: _look_at_redis(parts.limiter)),
        Check("streams", lambda: _look_at_streams(parts)),
    ]


def _look_at_database(parts: Platform) -> Finding:
    try:
        with parts.database.transaction() as session:
            read_only = session.execute(text("SELECT current_setting('transaction_read_only')::bool")).scalar_one()
    except SQLAlchemyError as error:
        outage = outage_of(error)
        if outage is None:
            raise
        return Finding("unhealthy", outage.message)
    if read_only:
        return Finding("degraded", "The database takes no changes now: reads are answered, all else is refused.")
    return _recall_trouble(parts.database.trouble)


def _recall_trouble(trouble: Trouble | None) -> Finding:
    """A full disk, say, refuses no look, only work; what this process met lately is told."""
    if trouble is None or not trouble.outage.lasting or time.monotonic() - trouble.at > TROUBLE_SECONDS:
        return Finding("healthy", "The database answers.")
    ago = time.monotonic() - trouble.at
    return Finding("degraded", f"It answers, but {ago:.0f} s ago a request was refused: {trouble.outage.message}")


def _look_at_redis(limiter: RateLimiter) -> Finding:
    if limiter.ping():
        return Finding("healthy", "Redis answers.")
    return Finding("degraded", "Redis is away: nothing is limited, work starts late, live streams read the database.")


def _look_at_streams(parts: Platform) -> Finding:
    if ping_streams(parts.stream_socket):
        return Finding("healthy", "The stream process answers.")
    return Finding("degraded", "The stream process is away: server-sent events are refused, polling works.")
