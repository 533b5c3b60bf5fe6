"""Capture: raw output becomes numbered, timestamped, masked lines. Pure; costs by the read, not by the line."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from app.pipelines import LogStream, Segment, encode_chunk
from tasks.pipelines.masking import Masker

MOST_LINE_BYTES = 16 * 1024
MOST_TAIL_BYTES = 1024 * 1024
CHUNK_BYTES = 512 * 1024

_NUL = str.maketrans({0: "\N{SYMBOL FOR NULL}"})


class Chunk:
    """Segments that are stored together."""

    def __init__(self, segments: list[Segment]) -> None:
        self.first_seq = segments[0].first_seq
        self.last_seq = segments[-1].first_seq + segments[-1].lines - 1
        self.data = encode_chunk(segments)


class Capture:
    """Splits the output of both streams into lines under one numbering, from 1 without a gap.

    A line is taken when its newline has come, so a secret split over two writes is whole when it is masked. Lines over
    16 KiB are split after masking. Bytes that are not UTF-8 become U+FFFD, a NUL becomes U+2400 (PostgreSQL and many
    terminals take no NUL), colour codes stay.
    """

    def __init__(self, masker: Masker, clock: Callable[[], datetime], max_line: int = MOST_LINE_BYTES) -> None:
        self._masker = masker
        self._clock = clock
        self._too_long = re.compile(rb"[^\n]{%d}" % (max_line + 1))
        self._max_line = max_line
        self._tails: dict[LogStream, bytes] = {"stdout": b"", "stderr": b""}
        self._segments: list[Segment] = []
        self._size = 0
        self._next_seq = 1

    @property
    def waiting_bytes(self) -> int:
        """How much text is waiting to be taken."""
        return self._size

    def feed(self, stream: LogStream, data: bytes) -> None:
        """Take raw output as it was read."""
        complete, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._tails[stream] += data
            if len(self._tails[stream]) > MOST_TAIL_BYTES:
                self._take(stream, self._cut_tail(stream))
            return
        whole = self._tails[stream] + complete
        self._tails[stream] = tail
        self._take(stream, whole)

    def say(self, message: str) -> None:
        """Add a line of the platform's own."""
        self._take("system", message.encode())

    def close(self) -> None:
        """Take what was written last without a newline."""
        for stream, tail in self._tails.items():
            if tail:
                self._tails[stream] = b""
                self._take(stream, tail)

    def take_chunk(self) -> Chunk | None:
        """Return everything captured since the last call, or None."""
        if not self._segments:
            return None
        segments, self._segments, self._size = self._segments, [], 0
        return Chunk(segments)

    def _cut_tail(self, stream: LogStream) -> bytes:
        """Cut a line that never ends, keeping back enough that no secret lies across the cut."""
        tail = self._masker.mask(self._tails[stream])
        kept = self._masker.longest
        self._tails[stream] = tail[len(tail) - kept :] if kept else b""
        return tail[: len(tail) - kept] if kept else tail

    def _take(self, stream: LogStream, lines: bytes) -> None:
        masked = self._masker.mask(lines).replace(b"\r\n", b"\n").removesuffix(b"\r")
        if len(masked) > self._max_line and self._too_long.search(masked):
            masked = self._split_long_lines(masked)
        text = (
            masked.decode("utf-8", "replace").translate(_NUL) if b"\0" in masked else masked.decode("utf-8", "replace")
        )
        count = masked.count(b"\n") + 1
        self._segments.append(Segment(self._next_seq, count, stream, self._clock(), text))
        self._next_seq += count
        self._size += len(masked)

    def _split_long_lines(self, lines: bytes) -> bytes:
        return b"\n".join(
            line[start : start + self._max_line]
            for line in lines.split(b"\n")
            for start in range(0, max(len(line), 1), self._max_line)
        )
