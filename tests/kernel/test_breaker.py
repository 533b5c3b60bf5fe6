"""The circuit breaker: what failed is left alone for a moment, then one tries for all."""

from __future__ import annotations

import time

import pytest

from app.kernel.breaker import Breaker


def test_a_closed_breaker_lets_everyone_ask() -> None:
    breaker = Breaker(60)
    assert [breaker.allows() for _ in range(3)] == [True] * 3
    assert not breaker.is_open


def test_after_a_failure_nobody_asks_until_the_rest_is_over() -> None:
    breaker = Breaker(60)
    breaker.failed()
    assert [breaker.allows() for _ in range(3)] == [False] * 3
    assert breaker.is_open


def test_then_one_tries_and_the_others_wait_for_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = Breaker(10)
    breaker.failed()
    later = time.monotonic() + 11
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    assert not breaker.allows()
    monkeypatch.setattr(time, "monotonic", lambda: later + 11)
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True] * 3
