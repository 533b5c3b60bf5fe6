"""When something is full: on made series whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from app.monitoring.forecasting import DAY, FILLING, FULL, POSSIBLE, STEADY, UNKNOWN, Forecast, forecast
from app.monitoring.points import Floats, Points, to_micros

HOUR = 3600.0
WEEK = np.arange(0.0, 7 * DAY, HOUR)


def told(values: Floats, capacity: float = 100.0, times: Floats = WEEK) -> Forecast:
    return forecast(Points(to_micros(1.7e9 + times), np.asarray(values, float)), capacity)


def test_a_straight_line_is_full_when_it_gets_there() -> None:
    # One unit an hour from 10 on: at the last point it is 177, and 400 comes 223 hours later.
    one = told(10 + WEEK / HOUR, 400.0)
    assert one.state == FILLING
    assert one.growth == pytest.approx(1 / HOUR)
    # The level is the median of the newest three, which is an hour behind.
    assert one.expected == pytest.approx(224 * HOUR, rel=0.001)
    assert one.earliest == pytest.approx(224 * HOUR, rel=0.01)
    assert one.latest == pytest.approx(224 * HOUR, rel=0.01)


def test_noise_and_a_daily_season_widen_the_interval_but_do_not_move_it() -> None:
    random = np.random.default_rng(1)
    trend = 20 + 5 * WEEK / DAY
    values = trend + 3 * np.sin(2 * np.pi * WEEK / DAY) + random.normal(0, 1, len(WEEK))
    one = told(values)
    truth = (100 - trend[-1]) / 5 * DAY
    assert one.expected == pytest.approx(truth, rel=0.15)
    assert one.earliest is not None
    assert one.latest is not None
    assert one.earliest < truth < one.latest
    assert one.latest - one.earliest < 0.8 * truth


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_the_interval_holds_the_truth_in_about_four_of_five_cases(sigma: float) -> None:
    """Random walks with a drift of six units a day, whose own future tells when they were full."""
    random, held, count = np.random.default_rng(7), 0, 150
    for _ in range(count):
        steps = 0.25 + random.normal(0, sigma / np.sqrt(24), 24 * 60)
        level = 10 + np.cumsum(steps)
        one = told(level[: len(WEEK)], level[len(WEEK) - 1] + 60)
        after = np.flatnonzero(level[len(WEEK) :] >= one.capacity)
        full = (after[0] + 1) * HOUR if len(after) else np.inf
        held += (one.earliest or 0.0) <= full <= (one.latest or np.inf)
    assert 0.68 <= held / count <= 0.92


def test_noise_that_stays_is_not_taken_for_growth() -> None:
    random, soon = np.random.default_rng(3), 0
    for _ in range(50):
        one = told(50 + random.normal(0, 2, len(WEEK)))
        soon += one.earliest is not None and one.earliest < 14 * DAY
    assert soon <= 2


def test_what_does_not_grow_is_steady() -> None:
    assert told(np.full(len(WEEK), 40.0)).state == STEADY
    assert told(90 - WEEK / DAY).state == STEADY
    assert told(np.full(len(WEEK), 40.0)).earliest is None


def test_what_wanders_may_be_full_one_day() -> None:
    random = np.random.default_rng(5)
    walk = np.cumsum(random.normal(0, 1, len(WEEK)))
    one = told(60 + walk - walk[-1] * WEEK / WEEK[-1], 100.0)
    assert one.state in (POSSIBLE, FILLING)
    assert one.earliest is not None


def test_what_is_full_is_full_now() -> None:
    one = told(np.linspace(80, 101, len(WEEK)))
    assert (one.state, one.expected, one.earliest) == (FULL, 0.0, 0.0)


def test_after_one_cleaning_what_grows_since_counts() -> None:
    values = np.where(WEEK < 4 * DAY, 70 + 4 * WEEK / DAY, 10 + 10 * (WEEK - 4 * DAY) / DAY)
    one = told(values)
    assert one.growth * DAY == pytest.approx(10.0)
    assert one.points == 72


def test_what_is_cleaned_again_and_again_is_not_expected_to_fill() -> None:
    one = told(40 + 30 * (WEEK % DAY) / DAY)
    assert one.expected is None or one.expected > 60 * DAY


def test_gaps_do_no_harm() -> None:
    there = (WEEK < 2 * DAY) | (WEEK > 3 * DAY)
    one = told(10 + WEEK[there] / HOUR, 400.0, WEEK[there])
    assert one.expected == pytest.approx(224 * HOUR, rel=0.01)


@pytest.mark.parametrize("count", [0, 1, 11])
def test_too_little_says_nothing(count: int) -> None:
    assert told(np.arange(count), 100.0, WEEK[:count]).state == UNKNOWN


def test_no_capacity_says_nothing() -> None:
    assert told(WEEK / HOUR, 0.0).state == UNKNOWN
