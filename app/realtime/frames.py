"""What is sent to listeners: events as bytes, made once a feed and shared by everyone who gets them.

The formats are those of https://html.spec.whatwg.org/multipage/server-sent-events.html and of RFC 6455, whose frames,
from a server and without extensions, are the same for every client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import formatdate
from typing import Any, NamedTuple

import orjson
import websockets.frames

from app.kernel.stream import Delivered

# A place in a topic: `(seq,)` for events, `(attempt, seq)` for a log. Places of one topic compare.
Position = tuple[int, ...]

PING = b": ping\n\n"
RETRY = b"retry: 2000\n\n"
END = b"event: end\ndata: {}\n\n"
CHUNK_BYTES = 64 * 1024

_OURS = frozenset(
    {"content-type", "content-length", "cache-control", "connection", "date", "transfer-encoding", "upgrade"}
)


class Frame(NamedTuple):
    """One server-sent event: it leads a listener from a place at or behind `after` to the place `last`.

    `text` is the whole of it with the id for a listener of this topic alone; from `body_at` on it has no id.
    """

    after: Position
    last: Position
    type: str
    text: bytes
    body_at: int

    @property
    def body(self) -> bytes:
        """The event without its id, for listeners who give it a compound one."""
        return self.text[self.body_at :]

    @property
    def shape(self) -> bytes:
        """The event as JSON."""
        return self.text[self.body_at + len(b"event: ") + len(self.type.encode()) + len(b"\ndata: ") : -2]


class Batch:
    """Frames of one topic that follow each other, as the bytes of each kind of stream, made when first asked for."""

    __slots__ = ("_packets", "_text", "frames")

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self._text: bytes | None = None
        self._packets: bytes | None = None

    @property
    def text(self) -> bytes:
        """All of them as server-sent events, with the ids of their one topic."""
        if self._text is None:
            self._text = b"".join([frame.text for frame in self.frames])
        return self._text

    @property
    def packets(self) -> bytes:
        """Each of them as a text frame of a WebSocket."""
        if self._packets is None:
            self._packets = b"".join([packet(frame.shape) for frame in self.frames])
        return self._packets


def event_frame(event: Delivered, after: Position) -> Frame:
    """Return the frame of an event that follows the place `after`."""
    return _frame(after, (event.seq,), event.as_json())


def passing_frame(event: Delivered) -> Frame:
    """Return the frame of something that is not kept: it has no id, and leads nowhere."""
    shape = orjson.dumps({**event.as_json(), "id": None})
    return Frame((0,), (0,), event.type, b"event: %s\ndata: %s\n\n" % (event.type.encode(), shape), 0)


def log_frame(topic: str, attempt: int, lines: Sequence[Mapping[str, Any]], after: Position) -> Frame:
    """Return the frame of some log lines, each `{seq, timestamp, stream, level, message}`, that follow `after`."""
    last = (attempt, int(lines[-1]["seq"]))
    shape = {
        "id": position_id(last, "-"),
        "type": "log",
        "topic": topic,
        "timestamp": lines[-1]["timestamp"],
        "data": {"lines": lines, "attempt": attempt},
    }
    return _frame(after, last, shape)


def rest_of(frame: Frame, position: Position) -> Frame:
    """Return what of the frame is new at `position`; only a frame of log lines can be new in part."""
    if position <= frame.after or len(position) == 1:
        return frame
    shape = orjson.loads(frame.body.split(b"\ndata: ", 1)[1])
    attempt, lines = shape["data"]["attempt"], shape["data"]["lines"]
    return log_frame(shape["topic"], attempt, [line for line in lines if (attempt, line["seq"]) > position], position)


def position_id(position: Position, joint: str) -> str:
    """Return a place as an event id."""
    return joint.join(map(str, position))


def packet(shape: bytes) -> bytes:
    """Return JSON as a text frame of a WebSocket."""
    return websockets.frames.Frame(websockets.frames.Opcode.TEXT, shape).serialize(mask=False)


def batches(frames: Iterable[Frame]) -> Iterator[Batch]:
    """Yield the frames in groups of about CHUNK_BYTES at most, at least one frame each."""
    group: list[Frame] = []
    size = 0
    for frame in frames:
        if group and size + len(frame.text) > CHUNK_BYTES:
            yield Batch(group)
            group, size = [], 0
        group.append(frame)
        size += len(frame.text)
    if group:
        yield Batch(group)


def event_stream_head(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of a reply of server-sent events. It names no length: the end of the connection is the end of
    the stream, for clients of HTTP/1.0 as well."""
    ours = ("Content-Type: text/event-stream; charset=utf-8", "Cache-Control: no-store", "X-Accel-Buffering: no")
    return _head("200 OK", [*ours, "Connection: close"], headers) + RETRY


def websocket_head(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of a reply after which the connection is a WebSocket."""
    return _head("101 Switching Protocols", ["Upgrade: websocket", "Connection: Upgrade"], headers)


def retry_in(milliseconds: int) -> bytes:
    """Return the last words of a stream that is to be opened again after a while."""
    return b"retry: %d\n\n" % milliseconds


def _head(status: str, ours: Iterable[str], headers: Iterable[tuple[str, str]]) -> bytes:
    theirs = (f"{name}: {value}" for name, value in headers if name.lower() not in _OURS)
    lines = [f"HTTP/1.1 {status}", f"Date: {formatdate(usegmt=True)}", *ours, *theirs]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _frame(after: Position, last: Position, shape: Mapping[str, Any]) -> Frame:
    id_line = f"id: {shape['id']}\n".encode()
    text = b"%sevent: %s\ndata: %s\n\n" % (id_line, str(shape["type"]).encode(), orjson.dumps(shape))
    return Frame(after, last, str(shape["type"]), text, len(id_line))
