"""The schedule: the same for the same seed, and of every kind."""

from __future__ import annotations

import pytest

from tests.faults.schedule import KINDS, WORKERS, make_schedule


def test_the_same_seed_makes_the_same_schedule() -> None:
    assert make_schedule(7, 200, 2.5) == make_schedule(7, 200, 2.5)
    assert make_schedule(7, 200, 2.5) != make_schedule(8, 200, 2.5)


@pytest.mark.parametrize("seed", range(20))
def test_there_is_one_of_each_kind_and_they_come_in_order(seed: int) -> None:
    schedule = make_schedule(seed, len(KINDS) + 3, 2.0)
    assert {fault.kind for fault in schedule.faults} == set(KINDS)
    assert len(schedule.faults) == len(KINDS) + 3
    assert [fault.at for fault in schedule.faults] == sorted(fault.at for fault in schedule.faults)
    assert all(fault.target in KINDS[fault.kind].targets for fault in schedule.faults)
    assert schedule.skew != 0


def test_faults_that_last_end_within_the_schedule() -> None:
    schedule = make_schedule(1, 100, 1.0)
    assert max(fault.at + fault.seconds for fault in schedule.faults) == schedule.seconds <= 110
    assert {fault.target for fault in schedule.faults} >= set(WORKERS)
