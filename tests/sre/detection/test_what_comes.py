"""What series do: each thing that is no fault is left alone, and each fault is found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.sre.detection import Anomaly, judge
from tests.support.series import DAY, daily, minutes

STEP = 300
A_DAY = DAY // STEP


def _found(times: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[Anomaly, ...]:
    return judge(None, times, values).anomalies


def test_a_daily_season_with_noise_is_no_anomaly() -> None:
    assert _found(*daily(days=10, step=STEP)) == ()


def test_missing_points_and_gaps_are_no_anomaly() -> None:
    times, values = daily(days=10, step=STEP)
    kept = np.random.default_rng(1).random(len(times)) > 0.1
    kept[7 * A_DAY : 7 * A_DAY + 200] = False
    assert _found(times[kept], values[kept]) == ()


def test_two_points_at_one_time_are_no_anomaly() -> None:
    times, values = daily(days=8, step=STEP)
    doubled = np.concatenate([times, times[::7]]), np.concatenate([values, values[::7] + 1000])
    assert _found(*doubled) == ()


def test_a_job_of_every_night_is_no_anomaly() -> None:
    times, values = daily(days=10, step=STEP)
    values = np.where(times % DAY < 1200, values * 1.8, values)
    assert [anomaly for anomaly in _found(times, values) if anomaly.start >= times[0] + 4 * DAY] == []


def test_weekends_that_are_lower_are_no_anomaly_once_a_week_is_known() -> None:
    times, values = daily(days=28, step=STEP)
    values = np.where((times - times[0]) // DAY % 7 >= 5, values * 0.6, values)
    assert [anomaly for anomaly in _found(times, values) if anomaly.start >= times[0] + 14 * DAY] == []


def test_a_weekend_as_busy_as_the_week_is_an_anomaly_where_weekends_are_quiet() -> None:
    times, values = daily(days=28, step=STEP)
    day = (times - times[0]) // DAY
    values = np.where((day % 7 >= 5) & (day != 26), values * 0.5, values)
    late = [anomaly for anomaly in _found(times, values) if anomaly.start >= times[0] + 21 * DAY]
    assert any(26 * DAY <= anomaly.start - times[0] < 27 * DAY for anomaly in late)


def test_a_level_that_changes_for_good_is_one_anomaly_and_then_the_level() -> None:
    times, values = daily(days=14, step=STEP)
    values[7 * A_DAY :] += 60
    found = _found(times, values)
    assert found[0].start == times[7 * A_DAY]
    assert all(anomaly.start < times[9 * A_DAY] for anomaly in found)


def test_a_slow_drift_is_no_anomaly() -> None:
    times, values = daily(days=14, step=STEP)
    assert _found(times, values + np.linspace(0, 40, len(times))) == ()


def test_the_restart_of_a_counter_is_no_anomaly() -> None:
    times, rates = daily(days=10, step=STEP)
    counter = np.cumsum(rates)
    counter[7 * A_DAY :] -= counter[7 * A_DAY - 1]
    judged = judge(None, times, counter)
    assert judged.state.is_counter
    assert judged.anomalies == ()


def test_a_counter_that_rises_too_fast_is_an_anomaly() -> None:
    times, rates = daily(days=10, step=STEP)
    rates[8 * A_DAY : 8 * A_DAY + 10] += 100
    found = _found(times, np.cumsum(rates))
    assert [anomaly.start for anomaly in found] == [times[8 * A_DAY]]


def test_a_value_that_stands_still_is_an_anomaly_since_it_does() -> None:
    times, values = daily(days=8, step=STEP)
    first = 6 * A_DAY + 50
    values[first : first + 40] = values[first]
    (anomaly, *_) = _found(times, values)
    assert anomaly.start == times[first]
    assert times[first] < anomaly.detected_at < times[first + 30]
    assert "without any change" in anomaly.reason


def test_a_season_that_is_flattened_is_found_though_values_still_change() -> None:
    times, values = daily(days=8, step=STEP)
    first, length = 6 * A_DAY + 60, 60
    values[first : first + length] = 0.05 * values[first : first + length] + 0.95 * values[first - 30 : first].mean()
    assert any(times[first] <= anomaly.detected_at < times[first + length] for anomaly in _found(times, values))


def test_a_ramp_is_found_before_it_ends() -> None:
    times, values = daily(days=8, step=STEP)
    first, length = 6 * A_DAY + 30, 96
    values[first : first + length] += np.linspace(0, 60, length)
    assert any(times[first] <= anomaly.detected_at < times[first + length] for anomaly in _found(times, values))


def test_a_drop_to_nothing_is_found_at_once() -> None:
    times, values = daily(days=8, step=STEP)
    values[6 * A_DAY : 6 * A_DAY + 6] = 0
    assert _found(times, values)[0].detected_at == times[6 * A_DAY]


def test_values_of_any_size_are_judged_alike() -> None:
    times, values = daily(days=8, step=STEP)
    values[6 * A_DAY : 6 * A_DAY + 6] += 60
    starts = [[anomaly.start for anomaly in _found(times, values * size)] for size in (1e-9, 1.0, 1e12)]
    assert starts == [[times[6 * A_DAY]]] * 3


def test_hourly_points_are_enough() -> None:
    times, values = daily(days=12, step=3600)
    values[10 * 24 + 5 : 10 * 24 + 8] += 60
    assert [anomaly.start for anomaly in _found(times, values)] == [times[10 * 24 + 5]]


def test_values_that_are_always_zero_and_then_are_not_are_an_anomaly() -> None:
    times = minutes(days=6, step=STEP)
    values = np.zeros(len(times))
    values[5 * A_DAY] = 3.0
    assert [anomaly.start for anomaly in _found(times, values)] == [times[5 * A_DAY]]


def test_numbers_at_the_edge_of_what_floats_hold_break_nothing() -> None:
    times, values = daily(days=5, step=STEP)
    values[::100] = 1e308
    values[50::100] = -1e308
    assert np.isfinite(judge(None, times, values).scores).all()
