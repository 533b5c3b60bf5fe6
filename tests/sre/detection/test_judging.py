"""One judgement: what is scored, what is an anomaly, and what never is."""

from __future__ import annotations

import numpy as np
import pytest

from app.sre.detection import BadState, Judgement, Severity, State, judge
from tests.support.series import daily, minutes

STEP = 300


def test_a_jump_on_a_daily_season_is_one_anomaly_that_says_what_was_expected() -> None:
    times, values = daily(days=7, step=STEP)
    at = 6 * 288 + 100
    values[at : at + 6] += 60
    judged = judge(None, times, values)
    (anomaly,) = judged.anomalies
    assert anomaly.start == anomaly.detected_at == times[at]
    assert times[at + 5] <= anomaly.end <= times[at + 5] + 7200
    assert anomaly.peak in values[at : at + 6]
    assert anomaly.expected.low < anomaly.expected.high < anomaly.peak
    assert anomaly.severity is Severity.CRITICAL
    assert not anomaly.is_open
    assert f"{anomaly.peak:.6g}" in anomaly.reason


def test_every_point_has_a_score_that_is_finite_and_not_negative() -> None:
    times, values = daily(days=5, step=STEP)
    judged = judge(None, times, values)
    assert np.array_equal(judged.times, times)
    assert np.isfinite(judged.scores).all()
    assert (judged.scores >= 0).all()


def test_slices_give_the_same_scores_states_and_anomalies_as_all_at_once() -> None:
    times, values = daily(days=6, step=STEP)
    values[1400:1410] += 60
    whole = judge(None, times, values)
    sliced, scores, anomalies = _in_slices(times, values)
    assert np.array_equal(scores, whole.scores)
    assert anomalies == {anomaly.start: anomaly for anomaly in whole.anomalies}
    assert sliced.to_bytes() == whole.state.to_bytes()


def test_a_score_uses_nothing_after_its_point() -> None:
    times, values = daily(days=6, step=STEP)
    whole = judge(None, times, values)
    for cut in (300, 900, 1500):
        changed = values.copy()
        changed[cut:] = 1e9
        assert np.array_equal(judge(None, times, changed).scores[:cut], whole.scores[:cut])


def test_an_anomaly_that_goes_on_keeps_its_start_and_its_moment_of_detection() -> None:
    times, values = daily(days=6, step=STEP)
    values[1500:1520] += 60
    first = judge(None, times[:1503], values[:1503])
    second = judge(first.state, times[1503:], values[1503:])
    assert [anomaly.is_open for anomaly in (*first.anomalies, *second.anomalies)] == [True, False]
    assert first.anomalies[0].start == second.anomalies[0].start
    assert first.anomalies[0].detected_at == second.anomalies[0].detected_at == times[1500]


def test_a_constant_series_never_alarms() -> None:
    times = minutes(days=6, step=STEP)
    assert judge(None, times, np.full(len(times), 42.0)).anomalies == ()


def test_the_state_handed_in_is_left_as_it_was() -> None:
    times, values = daily(days=3, step=STEP)
    before = judge(None, times[:400], values[:400]).state
    kept = before.to_bytes()
    judge(before, times[400:], values[400:])
    assert before.to_bytes() == kept


def test_of_points_at_one_time_the_first_counts_and_what_was_judged_stays_judged() -> None:
    first = judge(None, [30, 10, 20, 20], [3.0, 1.0, 2.0, 99.0])
    assert first.times.tolist() == [10, 20, 30]
    assert judge(first.state, [20, 30, 40], [5.0, 5.0, 4.0]).times.tolist() == [40]


def test_values_that_are_no_numbers_are_missing_points() -> None:
    assert judge(None, [0, 60, 120, 180], [1.0, np.nan, np.inf, 2.0]).times.tolist() == [0, 180]
    assert judge(None, [], []).times.tolist() == []


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 times and 1 values"):
        judge(None, [0, 60], [1.0])


@pytest.mark.parametrize("data", [b"", b"HRD1", b"HRD1" + bytes(40), b"\x80\x04pickle", bytes(30_000)])
def test_bytes_that_are_no_state_are_refused(data: bytes) -> None:
    with pytest.raises(BadState):
        State.from_bytes(data)


def test_a_damaged_state_is_refused() -> None:
    good = State.fresh().to_bytes()
    flipped = bytes([*good[:20], good[20] ^ 1, *good[21:]])
    for data in (good[:-3], good[:60], good + b"x", flipped):
        with pytest.raises(BadState):
            State.from_bytes(data)


def test_a_state_stays_small() -> None:
    times, values = daily(days=16, step=STEP)
    assert len(judge(None, times, values).state.to_bytes()) < 40_000


def _in_slices(times: np.ndarray, values: np.ndarray) -> tuple[State, np.ndarray, dict[int, object]]:
    random, state, at = np.random.default_rng(3), State.fresh(), 0
    scores, anomalies = [], dict[int, object]()
    while at < len(times):
        size = int(random.integers(1, 400))
        judged: Judgement = judge(State.from_bytes(state.to_bytes()), times[at : at + size], values[at : at + size])
        state, at = judged.state, at + size
        scores.append(judged.scores)
        anomalies |= {anomaly.start: anomaly for anomaly in judged.anomalies}
    return state, np.concatenate(scores), anomalies
