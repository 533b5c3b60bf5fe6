"""What the detector remembers of one series between two calls: one record of fixed size, the same for every series."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

DAYS = 14
SLOTS = 288
HOURS = 24
CHANNELS = 8
SPREADS = 5
MAGIC = b"HRD1"

_EPISODE = [
    ("start", "<i8"),
    ("detected_at", "<i8"),
    ("end", "<i8"),
    ("sharp_at", "<i8"),
    ("peak", "<f8"),
    ("score", "<f8"),
    ("low", "<f8"),
    ("high", "<f8"),
    ("channel", "<i8"),
    ("strength", "<f8"),
    ("usual", "<f8"),
    ("is_novel", "<i8"),
]
LAYOUT = np.dtype(
    [
        ("last_time", "<i8"),
        ("last_value", "<f8"),
        ("step", "<f8"),
        ("day", "<i8"),
        ("day_first", "<i8"),
        ("day_count", "<i8"),
        ("days_kept", "<i8"),
        ("day_numbers", "<i4", (DAYS,)),
        ("profiles", "<f4", (DAYS, SLOTS)),
        ("spreads", "<f4", (DAYS, SPREADS, HOURS)),
        ("tops", "<f4", (DAYS, CHANNELS)),
        ("slot_sum", "<f8", (SLOTS,)),
        ("slot_count", "<i4", (SLOTS,)),
        ("spread_sum", "<f8", (SPREADS, HOURS)),
        ("spread_count", "<i4", (HOURS,)),
        ("hour_tops", "<f8", (HOURS, CHANNELS)),
        ("levels", "<f8", (CHANNELS,)),
        ("run", "<i8"),
        ("run_since", "<i8"),
        ("width", "<f8"),
        ("week_gain", "<f8"),
        ("told", "<f8"),
        ("lowest", "<f8"),
        ("highest", "<f8"),
        ("counted", "<f8"),
        ("rises", "<i8"),
        ("falls", "<i8"),
        ("resets", "<i8"),
        ("is_counter", "<i8"),
        ("is_open", "<i8"),
        ("open", _EPISODE),
    ]
)
SIZE = LAYOUT.itemsize


class BadState(ValueError):
    """These bytes are no state of the detector."""


@dataclass(frozen=True, slots=True)
class State:
    """A series' memory. Treat it as opaque: keep `to_bytes()`, hand back `from_bytes(...)`."""

    record: Any

    @classmethod
    def fresh(cls) -> Self:
        """Return the state of a series that nothing is known of."""
        record = np.zeros((), dtype=LAYOUT)
        record["last_time"] = np.iinfo(np.int64).min
        record["day"] = record["open"]["end"] = record["open"]["sharp_at"] = np.iinfo(np.int64).min
        record["step"] = 60.0
        record["counted"] = np.nan
        forget(record)
        return cls(record)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote. Raises `BadState` for anything else."""
        if data[:4] != MAGIC:
            raise BadState("not a state of this version")
        body = _inflated(data[8:])
        if len(body) != SIZE or zlib.crc32(body) != int.from_bytes(data[4:8], "big"):
            raise BadState("a state that is cut short or damaged")
        record = np.frombuffer(body, dtype=LAYOUT).reshape(()).copy()
        if not 0 <= int(record["days_kept"]) <= DAYS or not 0 < float(record["step"]) <= 10 * 86_400:
            raise BadState("a state that no series can have")
        return cls(record)

    def to_bytes(self) -> bytes:
        """Return the state as bytes, at most some 30 kB, a few for series of few values a day."""
        body = self.record.tobytes()
        return MAGIC + zlib.crc32(body).to_bytes(4, "big") + zlib.compress(body, 1)

    @property
    def is_counter(self) -> bool:
        """Whether the series only ever rises, so that its increase from point to point is judged."""
        return bool(self.record["is_counter"])

    def copy(self) -> Self:
        """Return a state of its own that the next judgement may change."""
        return type(self)(self.record.copy())


def forget(record: Any) -> None:
    """Forget what was learned of the values, as when they are to be judged in another way."""
    record["days_kept"] = record["width"] = record["week_gain"] = record["levels"] = 0
    for name in ("profiles", "spreads", "tops", "told"):
        record[name] = np.nan
    record["lowest"], record["highest"] = np.inf, -np.inf


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    try:
        body = inflate.decompress(data, SIZE + 1)
    except zlib.error as error:
        raise BadState("a state that cannot be read") from error
    if not inflate.eof or inflate.unused_data:
        raise BadState("a state that is cut short or has something behind it")
    return body
