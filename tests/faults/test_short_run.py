"""A short run of the harness, and the seeds of runs that have failed: each stays a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import Plan, run
from tests.faults.report import report

JOBS, KILLS, SPACING, LONG_SECONDS = 100, 14, 2.0, 6.0
SEEDS = (1,)


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_job_is_lost_and_none_doubled_whatever_dies(seed: int, tmp_path: Path) -> None:
    outcome = run(Plan(JOBS, KILLS, seed, SPACING, LONG_SECONDS), tmp_path)
    assert outcome.passed, report(outcome)
