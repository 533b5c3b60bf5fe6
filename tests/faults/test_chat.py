"""Rooms while the API, the stream process and Redis die: every client hears every message once and in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.chat.harness import Plan, run


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_message_is_lost_doubled_or_out_of_order_whatever_dies(tmp_path: Path) -> None:
    outcome = run(Plan(clients=20, rooms=2, messages=160, kills=4, seed=3, spacing=1.5), tmp_path)
    assert outcome.passed, outcome.told()
