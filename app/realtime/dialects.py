"""How an event is told on a WebSocket of one execution: as `execution_update`, whatever of it has changed."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from app.realtime.frames import Frame, packet

Dialect = Callable[[Frame], bytes]


def tell_execution_update(frame: Frame) -> bytes:
    """Return the packet of an event of an execution; `data.event` names what has changed."""
    shape = orjson.loads(frame.shape)
    about = shape["data"]
    update = {
        "execution_id": about.get("execution_id"),
        "status": about.get("status"),
        "stage": about.get("stage"),
        "step": about.get("step"),
        "timestamp": shape["timestamp"],
        "event": shape["type"],
    }
    return packet(orjson.dumps(shape | {"type": "execution_update", "data": update}))
