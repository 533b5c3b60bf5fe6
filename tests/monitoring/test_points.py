"""Points and roll-ups: packed without loss, in order, each moment once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.monitoring.points import MICRO, Points, join, pack, put_in_order, to_micros, unpack
from app.monitoring.rollups import add_up, coarsen, fold, split_days, unpack_buckets

TIMES = st.lists(st.integers(0, 4_000_000_000_000_000), min_size=1, max_size=60, unique=True).map(sorted)
VALUES = st.floats(allow_nan=False, allow_infinity=False)


def points(*pairs: tuple[float, float]) -> Points:
    return put_in_order(to_micros(np.array([at for at, _ in pairs])), np.array([value for _, value in pairs]))


@settings(max_examples=50, deadline=None)
@given(TIMES, st.data())
def test_what_is_packed_comes_back_bit_for_bit(times: list[int], data: st.DataObject) -> None:
    values = np.array(data.draw(st.lists(VALUES, min_size=len(times), max_size=len(times))))
    back = unpack(pack(Points(np.array(times, np.int64), values)))
    assert back.times.tolist() == times
    assert back.values.tobytes() == values.tobytes()


def test_regular_points_take_few_bytes() -> None:
    day = Points(
        np.arange(1440, dtype=np.int64) * 60 * MICRO, np.round(np.random.default_rng(1).normal(50, 5, 1440), 1)
    )
    assert len(pack(day)) < 1440 * 6


def test_the_first_of_two_at_one_moment_stays() -> None:
    assert points((3, 30.0), (1, 10.0), (3, 31.0), (2, 20.0)).pairs() == [[1, 10], [2, 20], [3, 30]]
    assert join([points((2, 2.0)), points((1, 1.0), (2, 9.0))]).pairs() == [[1, 1], [2, 2]]


def test_a_time_in_seconds_comes_back_as_it_was_given() -> None:
    given = [1767225600.123456, 1767225601.1, 1767225602.0]
    assert points(*((at, 0.0) for at in given)).seconds.tolist() == given


def test_within_has_its_end_and_not_its_start() -> None:
    some = points((1, 1.0), (2, 2.0), (3, 3.0))
    assert some.within(1 * MICRO, 2 * MICRO).pairs() == [[2, 2]]


def test_points_fold_into_buckets_which_add_up() -> None:
    some = points(*((at, float(at % 7)) for at in range(0, 7200, 10)))
    whole = fold(some, 3600)
    assert (whole.starts / MICRO).tolist() == [0, 3600]
    assert whole.counts.tolist() == [360, 360]
    parts = [fold(some.within(-1, 1000 * MICRO), 300), fold(some.within(1000 * MICRO, 7200 * MICRO), 300)]
    fine = unpack_buckets(add_up(parts).pack())
    assert len(fine) == 24
    for name in ("avg", "min", "max", "sum", "count"):
        assert coarsen(fine, 3600).statistic(name) == pytest.approx(whole.statistic(name))


def test_buckets_are_split_by_days_in_utc() -> None:
    days = split_days(fold(points((86_399, 1.0), (86_400, 2.0), (200_000, 3.0)), 300))
    assert {start / MICRO: buckets.sums.tolist() for start, buckets in days.items()} == {
        0: [1],
        86_400: [2],
        172_800: [3],
    }
