"""Sweeps: all clusters that are due are asked, and the dead cost the living nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, update

from app import jobs
from app.clusters import (
    Access,
    CheckRules,
    Cluster,
    ClusterHealth,
    SweepClusters,
    take_due_checks,
    take_due_inventories,
)
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from tasks.clusters import checking
from tasks.clusters.sweeping import sweep
from tests.support.clusters import Keeper, register
from tests.support.identity import Person
from tests.support.kubernetes import Farm, farming
from tests.support.work import Errand, doing, drain

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
RULES = CheckRules(interval=0.5, timeout=1.0, failures=2, longest=5.0, watches=0)


@pytest.fixture
def farm(on_loopback: None) -> Iterator[Farm]:
    """Twelve clusters."""
    with farming(12) as farm:
        yield farm


@pytest.fixture
def ids(client: FlaskClient, alice: Person, farm: Farm) -> list[str]:
    """The same, registered, connected by nobody, due now."""
    return [register(client, alice, farm.access(number), f"c{number}")["id"] for number in range(12)]


def make_due(database: Database) -> None:
    """Make all due, and have no other job than those of the test."""
    with database.transaction() as session:
        session.execute(update(ClusterHealth).values(next_check_at=database_now(), next_inventory_at=None))
        session.execute(update(Job).where(Job.status == "queued").values(scheduled_for=func.now() + HOUR))


def do_sweep(keeper: Keeper, seconds: float, rules: CheckRules = RULES) -> dict[str, Any]:
    """Sweep for so long and return what that tells."""
    told: dict[str, Any] = {}
    tools = replace(keeper.tools, clusters=replace(keeper.tools.clusters, checks=rules))

    def deed(run: Any, _: Errand, __: Any) -> None:
        told.update(sweep(run, tools, seconds))

    with doing(deed):
        with keeper.database.transaction() as session:
            jobs.accept(session, Errand(new_id()))
        drain(keeper.database, tools)
    return told


def test_all_that_are_due_are_checked_and_looked_into(keeper: Keeper, ids: list[str]) -> None:
    make_due(keeper.database)
    rules = replace(RULES, interval=600.0, timeout=30.0)
    told = do_sweep(keeper, 6.0, rules)
    while told["observed"] < 12 and (more := do_sweep(keeper, 6.0, rules)) and any(more.values()):
        told = {name: count + more[name] for name, count in told.items()}
    assert told == {"checked": 12, "failed": 0, "moved": 12, "observed": 12, "changed": 0}
    assert {keeper.cluster(one).status for one in ids} == {"connected"}
    assert do_sweep(keeper, 0.3, rules)["checked"] == 0


def test_dead_clusters_are_noticed_and_do_not_slow_the_others(keeper: Keeper, ids: list[str], farm: Farm) -> None:
    make_due(keeper.database)
    do_sweep(keeper, 1.0)
    dead = farm.sites[:6]
    for site in dead:
        site.faults.add("black hole")
    make_due(keeper.database)
    began = time.monotonic()
    do_sweep(keeper, 4.0)
    assert [keeper.cluster(one).status for one in ids] == ["error"] * 6 + ["connected"] * 6
    with keeper.database.transaction() as session:
        ages = {
            str(row.cluster_id): row.age
            for row in session.execute(
                ClusterHealth.__table__.select().with_only_columns(
                    ClusterHealth.cluster_id, (database_now() - ClusterHealth.checked_at).label("age")
                )
            )
        }
    took = time.monotonic() - began
    assert all(ages[one].total_seconds() < took for one in ids[6:])
    for site in dead:
        site.faults.clear()
    make_due(keeper.database)
    do_sweep(keeper, 1.0)
    assert {keeper.cluster(one).status for one in ids} == {"connected"}
    flips = [event["new_status"] for event in keeper.events("cluster.health_changed")]
    assert flips.count("error") == 6


def test_what_one_sweeper_takes_another_does_not_until_it_was_lost(database: Database, ids: list[str]) -> None:
    make_due(database)
    with database.transaction() as session:
        first = take_due_checks(session, 5, 60, suspects=False)
        second = take_due_checks(session, 100, 60, suspects=False)
        assert (len(first), len(second)) == (5, 7)
        assert take_due_checks(session, 100, 60, suspects=False) == []
        assert take_due_inventories(session, 100, 60) == []
    make_due(database)
    with database.transaction() as session:
        assert len(take_due_checks(session, 100, 60, suspects=False)) == 12


def test_those_that_failed_are_taken_by_their_own_lane(database: Database, ids: list[str]) -> None:
    make_due(database)
    with database.transaction() as session:
        mine = ClusterHealth.cluster_id == UUID(ids[0])
        session.execute(update(ClusterHealth).where(mine).values(failures=4))
    with database.transaction() as session:
        suspects = take_due_checks(session, 100, 60, suspects=True)
        assert [str(one.cluster_id) for one in suspects] == [ids[0]]
        assert len(take_due_checks(session, 100, 60, suspects=False)) == 11


def test_a_sweep_that_comes_late_does_nothing(database: Database, keeper: Keeper, ids: list[str]) -> None:
    with database.transaction() as session:
        job_id = jobs.accept(session, SweepClusters())
        session.execute(update(Job).values(scheduled_for=func.now() + HOUR))
        session.execute(update(Job).where(Job.id == job_id).values(scheduled_for=func.now() - HOUR))
    keeper.drain()
    assert keeper.job(str(job_id)).result == {"late": True}


def test_a_sweep_that_is_cancelled_ends_soon(keeper: Keeper, ids: list[str], farm: Farm) -> None:
    farm.sites[0].faults.add("black hole")
    make_due(keeper.database)
    began = time.monotonic()

    def deed(run: Any, _: Errand, tools: Any) -> None:
        run.cancel_requested.set()
        sweep(run, tools, 30.0)

    with doing(deed):
        with keeper.database.transaction() as session:
            jobs.accept(session, Errand(new_id()))
        drain(keeper.database, keeper.tools)
    assert time.monotonic() - began < 5


def test_what_one_cluster_says_keeps_no_other_from_being_checked(
    keeper: Keeper, ids: list[str], farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = b'{"gitVersion": "v1.31\\u0000", "platform": "x"}'
    farm.sites[0].faults.add("answer", path="/version", status=200, body=said)
    make_due(keeper.database)
    told = do_sweep(keeper, 1.0, replace(RULES, interval=60.0))
    assert (told["checked"], told["failed"]) == (12, 0)
    assert keeper.cluster(ids[0]).version == "v1.31\ufffd"

    describe = checking.check

    def unwritable(cluster: Any) -> Any:
        found = describe(cluster)
        return replace(found, version="v1.32\0") if "\ufffd" in (found.version or "") else found

    monkeypatch.setattr("tasks.clusters.sweeping.check", unwritable)
    make_due(keeper.database)
    with keeper.database.transaction() as session:
        session.execute(update(Cluster).values(status="error"))
    do_sweep(keeper, 1.0, replace(RULES, interval=60.0))
    assert [keeper.cluster(one).status for one in ids] == ["error"] + ["connected"] * 11


def test_credentials_that_cannot_be_opened_fail_the_check_and_nothing_else(
    client: FlaskClient, alice: Person, keeper: Keeper, ids: list[str], database: Database
) -> None:
    made = register(client, alice, Access("https://kube.example.com", token="t"), "sealed")
    with database.transaction() as session:
        session.execute(update(Cluster).where(Cluster.id == UUID(made["id"])).values(credentials=b"nonsense" * 4))
    make_due(database)
    told = do_sweep(keeper, 1.0, replace(RULES, interval=60.0))
    assert (told["checked"], told["failed"]) == (13, 1)
    with database.transaction() as session:
        health = session.get_one(ClusterHealth, UUID(made["id"]))
        assert (health.step, health.code) == ("credentials", "SECRET_UNREADABLE")
