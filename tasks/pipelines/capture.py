"""Capture: raw output becomes numbered, timestamped, masked lines. Pure; costs by the read, not by the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    """Splits the output of both streams into lines under one numbering, from `first_seq` without a gap.

    A line is taken when its newline has come, so a secret split over two writes is whole when it is masked. Lines over
    16 KiB are split after masking, between characters. Bytes that are not UTF-8 become U+FFFD, a NUL becomes U+2400
    (PostgreSQL and many terminals take no NUL), colour codes stay.
    """

    def __init__(
        self,
        masker: Masker,
        clock: Callable[[], datetime],
        max_line: int = MOST_LINE_BYTES,
        *,
        first_seq: int = 1,
    ) -> None:
        self._masker = masker
        self._clock = clock
        self._max_line = max_line
        self._tails: dict[LogStream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._segments: list[Segment] = []
        self._size = 0
        self._next_seq = first_seq

    @property
    def waiting_bytes(self) -> int:
        """How much text is waiting to be taken."""
        return self._size

    def feed(self, stream: LogStream, data: bytes) -> None:
        """Take raw output as it was read."""
        complete, newline, rest = data.rpartition(b"\n")
        tail = self._tails[stream]
        if newline:
            whole = bytes(tail) + complete
            tail[:] = rest
            self._take(stream, whole)
        else:
            tail += rest
        if len(tail) > MOST_TAIL_BYTES and (begun := self._cut(tail)):
            self._take(stream, begun)

    def say(self, message: str) -> None:
        """Add a line of the platform's own."""
        self._take("system", message.encode(errors="replace"))

    def close(self) -> None:
        """Take what was written last without a newline."""
        for stream, tail in self._tails.items():
            if tail:
                last = bytes(tail)
                tail.clear()
                self._take(stream, last)

    def take_chunk(self) -> Chunk | None:
        """Return everything captured since the last call, or None."""
        if not self._segments:
            return None
        segments, self._segments, self._size = self._segments, [], 0
        return Chunk(segments)

    def _cut(self, tail: bytearray) -> bytes:
        """Cut off the beginning of a line that never ends, keeping back enough that no secret lies across the cut."""
        masked = self._masker.mask(bytes(tail))
        place = _between_characters(masked, max(len(masked) - self._masker.longest, 0))
        tail[:] = masked[place:]
        return masked[:place]

    def _take(self, stream: LogStream, lines: bytes) -> None:
        masked = self._masker.mask(lines)
        if b"\r" in masked:
            masked = masked.replace(b"\r\n", b"\n").removesuffix(b"\r")
        if _has_line_over(masked, self._max_line):
            masked = b"\n".join(self._split(masked))
        text = masked.decode("utf-8", "replace")
        if b"\0" in masked:
            text = text.translate(_NUL)
        count = masked.count(b"\n") + 1
        self._segments.append(Segment(self._next_seq, count, stream, self._clock(), text))
        self._next_seq += count
        self._size += len(masked)

    def _split(self, lines: bytes) -> Iterator[bytes]:
        for line in lines.split(b"\n"):
            rest = line
            while len(rest) > self._max_line:
                place = _between_characters(rest, self._max_line)
                yield rest[:place]
                rest = rest[place:]
            yield rest


def _has_line_over(lines: bytes, most: int) -> bool:
    """Whether some line is longer, in steps of that length: a regular expression would look at every byte, twice."""
    start = 0
    while len(lines) - start > most:
        newline = lines.rfind(b"\n", start, start + most + 1)
        if newline < 0:
            return True
        start = newline + 1
    return False


def _between_characters(text: bytes, place: int) -> int:
    """The nearest place at or before `place` that is not inside a character of UTF-8, which has four bytes at most."""
    for earlier in range(place, max(place - 4, 0), -1):
        if earlier >= len(text) or text[earlier] & 0xC0 != 0x80:
            return earlier
    return place
