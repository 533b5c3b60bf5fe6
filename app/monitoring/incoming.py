"""Points as clients send them, as JSON: `{name, labels?, points: [[seconds, value], …]}`, or times and values apart;
and as servers of others have them. Everything here is hostile; what is wrong is said with its place. No IO.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite
from typing import Any, Final

import numpy as np

from app.kernel.errors import FieldError, Invalid
from app.monitoring.errors import BodyTooLarge
from app.monitoring.naming import clean, find_labels_fault, find_name_fault
from app.monitoring.points import MICRO, Floats, Integers, Points, put_in_order, to_micros

MOST_SERIES: Final = 10_000
MOST_POINTS: Final = 500_000
MOST_FAULTS: Final = 20
# Until the year 2200: what comes in milliseconds is later, and meant otherwise.
LAST_SECOND: Final = 7_258_118_400.0
_NUMBERS: Final = frozenset({int, float})


@dataclass(frozen=True, slots=True)
class Incoming:
    """Points for one series, and how many of those that came had a moment twice."""

    name: str
    labels: dict[str, str]
    points: Points
    repeated: int = 0


@dataclass(slots=True)
class Received:
    """What somebody else's server tells, and how many samples of it are passed over, by the reason: `value` or
    `labels`."""

    series: list[Incoming] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    def take(self, name: str, labels: Mapping[str, str], times: Integers, values: Floats) -> None:
        """Add samples of a series, with times in microseconds. Values that are no number are passed over, and so are
        series with impossible labels: a refusal would cost all the others."""
        if find_name_fault(name) or find_labels_fault(labels):
            self.rejected["labels"] += len(times)
            return
        if len(times) == 1 and isfinite(values[0]) and 0 <= times[0] <= LAST_SECOND * MICRO:
            # What a scrape brings of each series: an array's work is dear for one sample.
            self.series.append(Incoming(name, clean(labels), Points(times, values)))
            return
        good = np.isfinite(values) & (times >= 0) & (times <= LAST_SECOND * MICRO)
        self.rejected["value"] += int(len(values) - good.sum())
        points = put_in_order(times[good], values[good])
        self.series.append(Incoming(name, clean(labels), points, int(good.sum()) - len(points)))


class _Fault(Exception):
    """A place inside of a series, and what is wrong there."""


def read_pushed(given: object) -> list[Incoming]:
    """Read `{name, labels?, points}` of a list; raises Invalid with a fault for each place, BodyTooLarge."""
    return _read_all(given, ("name", "points"), ("labels",), lambda one: _pairs(one["points"]))


def read_columns(given: object) -> list[Incoming]:
    """Read `{name, timestamps, values}` of a list; raises as `read_pushed` does."""
    needed = ("name", "timestamps", "values")
    return _read_all(given, needed, (), lambda one: _columns(one["timestamps"], one["values"]))


def _read_all(
    given: object, needed: Sequence[str], optional: Sequence[str], read: Callable[[Any], tuple[Floats, Floats]]
) -> list[Incoming]:
    if not isinstance(given, list) or not 0 < len(given) <= MOST_SERIES:
        raise Invalid(errors=[FieldError("series", f"Must be a list of 1 to {MOST_SERIES} series.")])
    _count(given, needed[1])
    faults: list[FieldError] = []
    found: list[Incoming] = []
    for index, one in enumerate(given):
        try:
            found.append(_read_one(one, needed, optional, read))
        except _Fault as fault:
            place, message = fault.args
            faults.append(FieldError(f"series.{index}{place}", message))
        if len(faults) == MOST_FAULTS:
            break
    if faults:
        raise Invalid(errors=faults)
    return found


def _count(given: Iterable[Any], field: str) -> None:
    lists = (one.get(field) for one in given if isinstance(one, dict))
    count = sum(len(one) for one in lists if isinstance(one, list))
    if count > MOST_POINTS:
        raise BodyTooLarge(f"One request takes at most {MOST_POINTS} points.", limit=MOST_POINTS, points=count)


def _read_one(
    one: Any, needed: Sequence[str], optional: Sequence[str], read: Callable[[Any], tuple[Floats, Floats]]
) -> Incoming:
    if not isinstance(one, dict):
        raise _Fault("", "Must be an object.")
    for name in needed:
        if name not in one:
            raise _Fault(f".{name}", "Missing data for required field.")
    for name in one:
        if name not in needed and name not in optional:
            raise _Fault(f".{name[:100]}", "Unknown field.")
    labels = one.get("labels") or {}
    for place, fault in ((".name", find_name_fault(one["name"])), (".labels", find_labels_fault(labels))):
        if fault:
            raise _Fault(place, fault)
    seconds, values = read(one)
    points = put_in_order(to_micros(seconds), values)
    return Incoming(one["name"], clean(labels), points, len(seconds) - len(points))


def _pairs(given: object) -> tuple[Floats, Floats]:
    if not isinstance(given, list):
        raise _Fault(".points", "Must be a list of [seconds, value].")
    if not given:
        return np.empty(0), np.empty(0)
    try:
        _check_types(chain.from_iterable(given), ".points")
        table = np.array(given, np.float64)
    except (ValueError, TypeError):
        raise _Fault(".points", "Must be a list of [seconds, value].") from None
    if table.ndim != 2 or table.shape[1] != 2:
        raise _Fault(".points", "Must be a list of [seconds, value].")
    seconds, values = np.ascontiguousarray(table.T)
    return _checked(seconds, ".points"), _checked(values, ".points", is_time=False)


def _columns(times: object, values: object) -> tuple[Floats, Floats]:
    for place, given in ((".timestamps", times), (".values", values)):
        if not isinstance(given, list):
            raise _Fault(place, "Must be a list of numbers.")
    if len(times) != len(values):  # type: ignore[arg-type]
        raise _Fault(".values", f"Must be as many as the timestamps: {len(times)}, not {len(values)}.")  # type: ignore[arg-type]
    return _read_numbers(times, ".timestamps"), _read_numbers(values, ".values", is_time=False)


def _read_numbers(given: Any, place: str, *, is_time: bool = True) -> Floats:
    if not given:
        return np.empty(0)
    _check_types(given, place)
    return _checked(np.array(given, np.float64), place, is_time=is_time)


def _check_types(given: Iterable[Any], place: str) -> None:
    """One long text among numbers would have numpy make room for as long a text in the place of each."""
    if not _NUMBERS.issuperset(map(type, given)):
        raise _Fault(place, "Must be numbers: neither texts nor null.")


def _checked(numbers: Floats, place: str, *, is_time: bool = True) -> Floats:
    if not np.isfinite(numbers).all():
        raise _Fault(place, "Must be finite numbers.")
    if is_time and ((numbers < 0) | (numbers > LAST_SECOND)).any():
        raise _Fault(place, "Must be seconds since the epoch, from 1970 to 2200.")
    return numbers


def gather(series: Iterable[Incoming]) -> list[Incoming]:
    """Make one of all that is for the same series; where two have the same moment, the first stays."""
    kept: dict[tuple[str, tuple[tuple[str, str], ...]], list[Incoming]] = {}
    for one in series:
        kept.setdefault((one.name, tuple(one.labels.items())), []).append(one)
    return [_gather_one(some) for some in kept.values()]


def _gather_one(some: Sequence[Incoming]) -> Incoming:
    if len(some) == 1:
        return some[0]
    times = np.concatenate([one.points.times for one in some])
    points = put_in_order(times, np.concatenate([one.points.values for one in some]))
    repeated = sum(one.repeated for one in some) + len(times) - len(points)
    return Incoming(some[0].name, some[0].labels, points, repeated)
