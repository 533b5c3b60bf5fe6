"""What receivers get: one form for events, tests and digests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.kernel.clock import format_time


def write_body(
    event_id: UUID,
    event_type: str,
    moment: datetime,
    data: Mapping[str, Any],
    subject: str | None = None,
    sequence: int | None = None,
) -> str:
    """Return the JSON that is sent, the same at every attempt."""
    body: dict[str, Any] = {"id": str(event_id), "type": event_type, "timestamp": format_time(moment), "data": data}
    if sequence is not None:
        body |= {"subject": subject, "sequence": sequence}
    return orjson.dumps(body).decode()
