"""Where a job comes from: the request that asked for it and the trace that request began. Kept in the job's row, so
that it reaches the worker whichever hint does, and what the worker accepts in its turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from app.kernel.context import known, working_for
from app.kernel.tracing import continued, current_traceparent


def current_origin() -> dict[str, str]:
    """Return what a job accepted now comes from: `request_id` and `traceparent`, as far as there are any."""
    origin: dict[str, str | None] = {"request_id": known().get("request_id"), "traceparent": current_traceparent()}
    return {name: value for name, value in origin.items() if value}


@contextmanager
def carrying_on(origin: Mapping[str, Any] | None, job_id: UUID, attempt: int) -> Iterator[None]:
    """Do what `origin` asked for while the block runs: log lines, spans and jobs accepted in it tell so."""
    origin = origin or {}
    with (
        working_for(request_id=origin.get("request_id"), job_id=job_id, attempt=attempt),
        continued(origin.get("traceparent")),
    ):
        yield
