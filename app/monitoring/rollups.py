"""Roll-ups: points in buckets of time, with their number, least, most and sum. They add up, so that a point that comes
late is folded into what is there. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.monitoring.points import MICRO, Floats, Integers, Points, pack_columns, unpack_columns

STATISTICS: Final = ("avg", "min", "max", "sum", "count")


@dataclass(frozen=True, slots=True)
class Buckets:
    """Buckets in ascending order, by where they start (microseconds since the epoch); none is empty."""

    starts: Integers
    counts: Floats
    least: Floats
    most: Floats
    sums: Floats

    def __len__(self) -> int:
        return len(self.starts)

    def statistic(self, name: str) -> Floats:
        """Return one of STATISTICS of each bucket."""
        if name == "avg":
            return self.sums / self.counts
        return {"min": self.least, "max": self.most, "sum": self.sums, "count": self.counts}[name]

    def within(self, start: int, end: int) -> Buckets:
        """Return the buckets that start at `start` or later, and before `end`."""
        chosen = slice(*np.searchsorted(self.starts, [start, end], side="left"))
        starts, *columns = self.columns()
        return Buckets(starts[chosen], *(column[chosen] for column in columns))

    def pack(self) -> bytes:
        """Return them as bytes."""
        return pack_columns(self.starts, self.counts, self.least, self.most, self.sums)

    def columns(self) -> tuple[Integers, Floats, Floats, Floats, Floats]:
        """Return starts, counts, least, most and sums."""
        return self.starts, self.counts, self.least, self.most, self.sums


NO_BUCKETS: Final = Buckets(np.empty(0, np.int64), *(np.empty(0) for _ in range(4)))


def unpack_buckets(packed: bytes) -> Buckets:
    """Return what `Buckets.pack` returned."""
    starts, columns = unpack_columns(packed, 4)
    return Buckets(starts, *columns)


def fold(points: Points, resolution: int) -> Buckets:
    """Put points into buckets of so many seconds."""
    if not len(points):
        return NO_BUCKETS
    values = points.values
    each = Buckets(points.times, np.ones(len(points)), values, values, values)
    return coarsen(each, resolution)


def coarsen(buckets: Buckets, resolution: int) -> Buckets:
    """Put buckets into wider ones, of so many seconds."""
    width = resolution * MICRO
    return _reduce(Buckets(buckets.starts // width * width, *buckets.columns()[1:]))


def add_up(parts: Sequence[Buckets]) -> Buckets:
    """Make one of several, whose buckets may be the same."""
    if not parts:
        return NO_BUCKETS
    starts = np.concatenate([part.starts for part in parts])
    order = np.argsort(starts, kind="stable")
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("counts", "least", "most", "sums"))
    return _reduce(Buckets(starts[order], *(column[order] for column in columns)))


def _reduce(buckets: Buckets) -> Buckets:
    """Join neighbours that start at the same moment."""
    if not len(buckets):
        return buckets
    starts = buckets.starts
    first = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1])))
    return Buckets(
        starts[first],
        np.add.reduceat(buckets.counts, first),
        np.minimum.reduceat(buckets.least, first),
        np.maximum.reduceat(buckets.most, first),
        np.add.reduceat(buckets.sums, first),
    )


def split_days(buckets: Buckets) -> dict[int, Buckets]:
    """Return the buckets of each day, by the microsecond at which the day starts in UTC."""
    day = 86_400 * MICRO
    days = buckets.starts // day * day
    return {int(start): buckets.within(int(start), int(start) + day) for start in np.unique(days)}
