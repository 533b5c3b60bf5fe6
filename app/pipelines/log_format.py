"""How a log is stored: chunks of segments, a segment being lines that came together.

A chunk is one JSON object a line: `{"q": first_seq, "n": lines, "t": timestamp, "s": stream, "x": text}`; the text is
the segment's lines joined by newlines. So storing costs by the chunk, not by the line; a reader takes them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from app.kernel.clock import format_time

LogStream = Literal["stdout", "stderr", "system"]

LAST_SEQ = 2**53
LEVELS: dict[LogStream, str] = {"stdout": "info", "stderr": "warn", "system": "debug"}


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines `first_seq` to `first_seq + lines - 1` of one stream; `text` joins them by newlines."""

    first_seq: int
    lines: int
    stream: LogStream
    timestamp: datetime
    text: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, as clients see it."""

    seq: int
    timestamp: str
    stream: LogStream
    level: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return the line for the wire."""
        return {
            "seq": self.seq,
            "timestamp": self.timestamp,
            "stream": self.stream,
            "level": self.level,
            "message": self.message,
        }


def encode_chunk(segments: Iterable[Segment]) -> bytes:
    """Return the stored form of some segments."""
    return b"\n".join(
        orjson.dumps(
            {"q": one.first_seq, "n": one.lines, "t": format_time(one.timestamp), "s": one.stream, "x": one.text}
        )
        for one in segments
    )


def decode_chunk(chunk: bytes) -> list[Segment]:
    """Read a chunk that somebody else has made; raises ValueError for whatever is not one."""
    return [_read_segment(orjson.loads(stored)) for stored in chunk.split(b"\n")]


def _read_segment(given: Any) -> Segment:
    try:
        first_seq, stream, text, at = given["q"], given["s"], given["x"], datetime.fromisoformat(given["t"])
        is_text = stream in LEVELS and isinstance(text, str) and "\0" not in text
        format_time(at)
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError("is not a segment") from error
    if not is_text or type(first_seq) is not int or not 0 < first_seq < LAST_SEQ or at.tzinfo is None:
        raise ValueError("is not a segment of a log")
    return Segment(first_seq, text.count("\n") + 1, stream, at, text)


def lines_of(chunk: bytes) -> Iterator[LogLine]:
    """Take a stored chunk apart into its lines."""
    for stored in chunk.split(b"\n"):
        if not stored:
            continue
        segment = orjson.loads(stored)
        stream: LogStream = segment["s"]
        for place, message in enumerate(segment["x"].split("\n")):
            yield LogLine(segment["q"] + place, segment["t"], stream, LEVELS[stream], message)


def text_of(chunk: bytes) -> str:
    """Return the text of a stored chunk alone, a newline after each line."""
    return "".join(orjson.loads(stored)["x"] + "\n" for stored in chunk.split(b"\n") if stored)
