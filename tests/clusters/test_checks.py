"""What checks find, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.clusters import Access, CheckRules, ClusterHealth, Found, record_checks
from app.clusters.models import ClusterCheck
from app.kernel.clock import sql_days
from app.kernel.db import Database
from tests.support.certificates import Authority
from tests.support.clusters import API, Keeper, register
from tests.support.identity import Person, data_of, error_of
from tests.support.kubernetes import ApiServer, black_hole

WELL = Found(healthy=True, latency_ms=3.0, version="v1.31.0")
AWAY = Found(healthy=False, step="connect", code="CLUSTER_UNREACHABLE", message="The server cannot be connected to.")
DENIED = Found(healthy=False, step="authentication", code="CLUSTER_NOT_AUTHENTICATED", message="Unauthorized")
RULES = CheckRules(failures=3)


@pytest.fixture
def cluster_id(client: FlaskClient, alice: Person) -> str:
    """A cluster that nobody asks: what its checks find is told by the test."""
    return str(register(client, alice, Access("https://kube.example.com", token="t"))["id"])


@pytest.fixture
def record(database: Database, cluster_id: str) -> Callable[..., str]:
    """Record what checks found, one after the other, and return the status after them."""

    def record(*found: Found) -> str:
        for one in found:
            with database.transaction() as session:
                record_checks(session, {UUID(cluster_id): one}, RULES)
        with database.transaction() as session:
            return str(session.get_one(ClusterHealth, UUID(cluster_id)).failures)

    return record


def status(keeper: Keeper, cluster_id: str) -> str:
    return keeper.cluster(cluster_id).status


def test_the_first_check_decides_and_later_ones_only_in_a_row(
    record: Callable[..., str], keeper: Keeper, cluster_id: str
) -> None:
    record(WELL)
    assert status(keeper, cluster_id) == "connected"
    record(AWAY, AWAY, WELL, AWAY, AWAY)
    assert status(keeper, cluster_id) == "connected"
    record(AWAY)
    assert keeper.cluster(cluster_id).status_reason == AWAY.message
    assert status(keeper, cluster_id) == "error"
    record(WELL)
    assert status(keeper, cluster_id) == "connected"
    told = [(event["previous_status"], event["new_status"]) for event in keeper.events("cluster.health_changed")]
    assert told == [("pending", "connected"), ("connected", "error"), ("error", "connected")]


def test_what_stays_silent_for_long_is_disconnected_and_what_refuses_us_is_not(
    record: Callable[..., str], keeper: Keeper, cluster_id: str
) -> None:
    record(*[AWAY] * 9)
    assert status(keeper, cluster_id) == "error"
    record(AWAY)
    assert status(keeper, cluster_id) == "disconnected"
    record(DENIED)
    assert (status(keeper, cluster_id), keeper.cluster(cluster_id).status_reason) == ("error", "Unauthorized")
    record(*[DENIED] * 20)
    assert status(keeper, cluster_id) == "error"


def test_doubts_are_settled_soon_and_the_dead_are_asked_ever_more_seldom() -> None:
    rules = CheckRules(interval=60, longest=600, failures=3)
    assert 54 <= rules.pause(0) <= 66
    assert rules.pause(1) == rules.pause(2) == 15
    assert 48 <= rules.pause(3) <= 60
    assert rules.pause(3) < rules.pause(5) <= 240
    assert 480 <= rules.pause(30) <= 600
    assert len({rules.pause(0) for _ in range(20)}) > 1


def test_the_history_is_kept_for_hours_and_shown_newest_first(
    record: Callable[..., str], client: FlaskClient, alice: Person, cluster_id: str, database: Database
) -> None:
    record(WELL, AWAY)
    shown = data_of(client.get(f"{API}/{cluster_id}/health", headers=alice.headers))
    assert [one["healthy"] for one in shown["recent"]] == [False, True]
    assert (shown["status"], shown["healthy"], shown["failures"]) == ("connected", False, 1)
    assert (shown["step"], shown["code"]) == ("connect", "CLUSTER_UNREACHABLE")
    assert shown["answered_at"] < shown["checked_at"] < shown["next_check_at"]
    with database.transaction() as session:
        session.query(ClusterCheck).update({"at": ClusterCheck.at - sql_days(1)})
    record(WELL)
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(ClusterCheck)) == 1


def check_now(client: FlaskClient, alice: Person, keeper: Keeper, cluster_id: str) -> dict[str, Any]:
    asked = data_of(client.post(f"{API}/{cluster_id}/health-check", headers=alice.headers), 202)
    keeper.drain()
    job = keeper.job(asked["job_id"])
    assert job.status == "succeeded"
    return dict(job.result or {})


def test_a_check_that_is_asked_for_tells_what_it_found(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    made = register(client, alice, api_server.access())
    keeper.drain()
    found = check_now(client, alice, keeper, made["id"])
    assert found["healthy"]
    assert found["latency_ms"] > 0
    assert found["version"] == api_server.api.version


@pytest.mark.parametrize(
    ("fault", "step", "code"),
    [
        ({"deed": "black hole"}, "answer", "CLUSTER_UNREACHABLE"),
        ({"deed": "drip", "seconds": 0.05}, "answer", "CLUSTER_UNREACHABLE"),
        ({"deed": "answer", "status": 503}, "answer", "CLUSTER_UNREACHABLE"),
        ({"deed": "answer", "status": 200, "body": b"<html>Hello</html>"}, "protocol", "NOT_KUBERNETES"),
        ({"deed": "answer", "status": 302}, "protocol", "NOT_KUBERNETES"),
        (
            {"deed": "answer", "status": 200, "body": b"x" * 1_000_000, "copies": 100},
            "protocol",
            "CLUSTER_ANSWER_TOO_LARGE",
        ),
    ],
)
def test_a_check_says_where_it_failed(
    client: FlaskClient,
    alice: Person,
    api_server: ApiServer,
    keeper: Keeper,
    fault: dict[str, Any],
    step: str,
    code: str,
) -> None:
    made = register(client, alice, api_server.access())
    keeper.drain()
    api_server.faults.add(**fault)
    found = check_now(client, alice, keeper, made["id"])
    assert (found["healthy"], found["step"], found["code"]) == (False, step, code)


def test_a_check_tells_names_connections_certificates_and_credentials_apart(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    good = api_server.access()
    with black_hole() as port:
        accesses = {
            ("name", "CLUSTER_UNREACHABLE"): Access("https://nowhere.invalid", token="t"),
            ("connect", "CLUSTER_UNREACHABLE"): Access(f"https://127.0.0.1:{port}", token="t"),
            ("tls", "CLUSTER_REFUSED"): Access(good.server, ca=Authority().pem, token=good.token),
            ("authentication", "CLUSTER_NOT_AUTHENTICATED"): api_server.access("no-such-token"),
        }
        for number, ((step, code), access) in enumerate(accesses.items()):
            made = register(client, alice, access, f"c{number}")
            found = check_now(client, alice, keeper, made["id"])
            assert (found["step"], found["code"]) == (step, code)
            assert keeper.cluster(made["id"]).status == "error"


def test_credentials_that_may_see_nothing_are_still_known(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    made = register(client, alice, api_server.access(api_server.token_for("bob")))
    assert check_now(client, alice, keeper, made["id"])["healthy"]


def test_a_cluster_that_does_not_answer_at_its_registration_fails_its_job(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    made = register(client, alice, api_server.access("no-such-token"))
    keeper.drain()
    job = keeper.job(made["job_id"])
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "CLUSTER_UNUSABLE"
    assert job.error["details"]["step"] == "authentication"
    assert keeper.cluster(made["id"]).status == "error"


def test_a_cluster_that_goes_is_not_checked(client: FlaskClient, alice: Person, cluster_id: str) -> None:
    data_of(client.delete(f"{API}/{cluster_id}", headers=alice.headers), 202)
    refused = client.post(f"{API}/{cluster_id}/health-check", headers=alice.headers)
    assert error_of(refused, 409)["code"] == "INVALID_STATE"
