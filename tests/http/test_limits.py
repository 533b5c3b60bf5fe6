"""Rate limits: counted per caller, told in headers, and open when Redis is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from app.http import Platform, RateLimiter, parse_limits
from launcher.embedded import EmbeddedRedis
from tests.http.conftest import As
from tests.support.limits import away_limiter, open_limiter

PATH = "/api/v1/workshop"


@pytest.fixture
def tight(parts: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests an hour and two a minute for users, four an hour for strangers, two logins."""
    limits = {"user": "3/hour;2/minute", "anonymous": "4/hour", "login": "2/hour"}
    monkeypatch.setattr(parts, "limits", {name: parse_limits(text) for name, text in limits.items()})


@pytest.mark.usefixtures("tight")
class TestCallers:
    """Who is counted, and what they are told."""

    def test_a_user_is_told_how_it_stands_and_then_to_wait(self, as_: As):
        remaining = []
        for _ in range(2):
            reply = as_("admin").get(PATH)
            assert reply.status_code == 200
            remaining.append(reply.headers["X-RateLimit-Remaining"])
        assert remaining == ["1", "0"]
        assert reply.headers["X-RateLimit-Limit"] == "2"
        assert time.time() < int(reply.headers["X-RateLimit-Reset"]) <= time.time() + 61
        refused = as_("admin").get(PATH)
        assert (refused.status_code, refused.json["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        details = refused.json["error"]["details"]
        assert (details["limit"], details["window"]) == (2, 60)
        assert refused.headers["Retry-After"] == str(details["retry_after"])
        assert 1 <= details["retry_after"] <= 120
        assert refused.headers["X-RateLimit-Remaining"] == "0"

    def test_users_are_counted_apart(self, as_: As):
        for _ in range(3):
            as_("admin").get(PATH)
        assert as_("alice").get(PATH).status_code == 403

    def test_strangers_are_counted_by_address(self, anyone: FlaskClient):
        statuses = [anyone.get(PATH).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 401, 429]
        elsewhere = anyone.get(PATH, environ_base={"REMOTE_ADDR": "192.0.2.7"})
        assert elsewhere.status_code == 401

    def test_one_network_of_ipv6_is_one_stranger(self, anyone: FlaskClient):
        def knock(address: str) -> int:
            return anyone.get(PATH, environ_base={"REMOTE_ADDR": address}).status_code

        assert [knock(f"2001:db8:1:2::{number}") for number in range(1, 6)] == [401, 401, 401, 401, 429]
        assert knock("2001:db8:1:3::1") == 401
        assert [knock("::ffff:192.0.2.9") for _ in range(3)] == [401] * 3
        assert [knock("192.0.2.9") for _ in range(2)] == [401, 429]

    def test_a_route_may_have_a_limit_of_its_own(self, anyone: FlaskClient):
        replies = [anyone.post("/api/v1/door") for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        assert [reply.headers["X-RateLimit-Limit"] for reply in replies] == ["2", "2", "2"]

    def test_health_is_asked_freely(self, anyone: FlaskClient):
        replies = [anyone.get("/health/live") for _ in range(10)]
        assert {reply.status_code for reply in replies} == {200}
        assert "X-RateLimit-Limit" not in replies[0].headers

    def test_limits_can_be_switched_off(self, anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(parts, "limited", False)
        replies = [anyone.get(PATH) for _ in range(6)]
        assert {reply.status_code for reply in replies} == {401}
        assert "X-RateLimit-Limit" not in replies[0].headers


@pytest.fixture
def limiter(redis_url: str) -> Iterator[RateLimiter]:
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    limiter = open_limiter(redis_url)
    yield limiter
    limiter.close()


def test_the_last_window_weighs_by_what_is_left_of_it(limiter: RateLimiter):
    for key in "abcde":
        first, second, took = hit_in_two_windows(limiter, key)
        if took < 0.15:
            break
    waits = [standing.retry_after for standing in first if standing]
    assert waits[:10] == [0] * 10
    assert waits[10] in (1, 2)
    passed = [standing for standing in second if standing and not standing.retry_after]
    assert 3 <= len(passed) <= 6


def hit_in_two_windows(limiter: RateLimiter, key: str) -> tuple[list[Any], list[Any], float]:
    """Hit a limit of ten a second eleven times at a second's begin and ten in the middle of the next; return the
    standings and how many seconds too late the machine was for that."""
    limits = parse_limits("10/second")
    time.sleep(1.02 - time.time() % 1)
    began = time.time()
    first = [limiter.hit(key, limits) for _ in range(11)]
    time.sleep(max(0.0, int(began) + 1.5 - time.time()))
    second = [limiter.hit(key, limits) for _ in range(10)]
    return first, second, time.time() - (int(began) + 1.5)


def test_what_one_limit_refuses_no_limit_counts(limiter: RateLimiter):
    limits = parse_limits("1/minute;100/hour")
    for _ in range(20):
        limiter.hit("x", limits)
    standing = limiter.hit("x", parse_limits("100/hour"))
    assert standing
    assert standing.remaining == 98


def test_to_wait_as_long_as_told_is_enough(limiter: RateLimiter):
    limits = parse_limits("2/second")
    for _ in range(2):
        limiter.hit("x", limits)
    refused = limiter.hit("x", limits)
    assert refused
    time.sleep(refused.retry_after)
    passed = limiter.hit("x", limits)
    assert passed
    assert passed.retry_after == 0


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("5/15minutes", [(5, 900)]),
        ("5000/hour;100/minute", [(100, 60), (5000, 3600)]),
        (" 1/second ; 2/2days", [(1, 1), (2, 172800)]),
    ],
)
def test_limits_are_read_from_settings(text: str, limits: list[tuple[int, int]]):
    assert [(limit.amount, limit.get_expiry()) for limit in parse_limits(text)] == limits


@pytest.mark.parametrize("text", ["", "5", "5/fortnight", "0/hour", "-5/hour"])
def test_what_is_no_limit_is_refused(text: str):
    with pytest.raises(ValueError, match="is not a limit"):
        parse_limits(text)


def test_without_redis_requests_pass_and_are_counted(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(parts, "limiter", away_limiter())
    before = unlimited(anyone)
    assert anyone.get(PATH).status_code == 401
    assert anyone.get(PATH).status_code == 401
    assert unlimited(anyone) == before + 2
    assert [record.message for record in caplog.records] == ["requests are not limited: ConnectionError"]


def unlimited(client: FlaskClient) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("headrace_rate_limiter_failures_total")).split()[-1])


@pytest.mark.slow
def test_a_redis_that_hangs_or_dies_costs_requests_little(tmp_path: Path):
    with EmbeddedRedis(tmp_path) as server:
        limiter = open_limiter(server.url)
        limits = parse_limits("5/minute")
        assert limiter.hit("x", limits)
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("CLIENT", "PAUSE", 2000, "ALL")
        started = time.monotonic()
        assert [limiter.hit("x", limits) for _ in range(10)] == [None] * 10
        assert time.monotonic() - started < 0.8
        server.kill()
        time.sleep(1.1)
        assert limiter.hit("x", limits) is None
        server.start()
        time.sleep(1.1)
        assert limiter.hit("x", limits)
        limiter.close()
