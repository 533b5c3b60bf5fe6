"""Points of a series, as arrays: in order, each moment once, and packed for the database. No IO."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MICRO = 1_000_000
# Below this, what a compressor needs for itself is more than it saves.
COMPRESSED_FROM = 12
_RAW, _PRESSED = b"\0", b"\1"


@dataclass(frozen=True, slots=True)
class Points:
    """Points in ascending order, one at a time. `times` are microseconds since the epoch; `values` are finite."""

    times: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> Floats:
        """The times in seconds since the epoch."""
        return self.times / MICRO

    def within(self, after: float, until: float) -> Points:
        """Return the points of `after < time <= until`, in microseconds."""
        chosen = slice(*np.searchsorted(self.times, [after, until], side="right"))
        return Points(self.times[chosen], self.values[chosen])

    def without(self, times: Integers) -> Points:
        """Return the points whose moment is none of `times`."""
        kept = ~np.isin(self.times, times)
        return Points(self.times[kept], self.values[kept])

    def pairs(self) -> list[list[float]]:
        """Return `[seconds, value]` for each point."""
        return np.column_stack((self.seconds, self.values)).tolist()


NO_POINTS = Points(np.empty(0, np.int64), np.empty(0, np.float64))


def to_micros(seconds: Floats) -> Integers:
    """Return times in seconds as microseconds, to the nearest."""
    return np.rint(seconds * MICRO).astype(np.int64)


def put_in_order(times: Integers, values: Floats) -> Points:
    """Sort points by time; of several at one moment the first that was given stays."""
    if len(times) < 2 or bool((times[1:] > times[:-1]).all()):
        return Points(times, values)
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    first = np.concatenate(([True], times[1:] > times[:-1]))
    return Points(times[first], values[first])


def join(parts: Sequence[Points]) -> Points:
    """Make one of several; where two have the same moment the one that comes first in `parts` wins."""
    if not parts:
        return NO_POINTS
    if len(parts) == 1:
        return parts[0]
    return put_in_order(np.concatenate([one.times for one in parts]), np.concatenate([one.values for one in parts]))


def pack(points: Points) -> bytes:
    """Return points as bytes: differences of times and values, like bytes beside like ones, compressed."""
    return pack_columns(points.times, points.values)


def unpack(packed: bytes) -> Points:
    """Return what `pack` was given, bit for bit."""
    times, (values,) = unpack_columns(packed, 1)
    return Points(times, values)


def pack_columns(times: Integers, *columns: Floats) -> bytes:
    """Return ascending times and columns of the same length as bytes."""
    steps = times.astype("<i8")
    steps[1:] -= times[:-1]
    columns = tuple(column.astype("<f8", copy=False) for column in columns)
    if len(times) < COMPRESSED_FROM:
        return _RAW + steps.tobytes() + b"".join(column.tobytes() for column in columns)
    shuffled = (np.ascontiguousarray(one).view(np.uint8).reshape(-1, 8).T.tobytes() for one in (steps, *columns))
    return _PRESSED + zlib.compress(b"".join(shuffled), 1)


def unpack_columns(packed: bytes, count: int) -> tuple[Integers, list[Floats]]:
    """Return the times and the `count` columns that `pack_columns` was given."""
    if packed[:1] == _RAW:
        parts = np.frombuffer(packed, np.uint8, offset=1).reshape(count + 1, -1)
    else:
        pressed = np.frombuffer(zlib.decompress(packed[1:]), np.uint8)
        parts = np.ascontiguousarray(pressed.reshape(count + 1, 8, -1).transpose(0, 2, 1)).reshape(count + 1, -1)
    columns = [part.copy().view("<f8") for part in parts[1:]]
    return np.cumsum(parts[0].copy().view("<i8"), dtype=np.int64), columns
