"""Watches: what happens on a cluster is seen soon after, and lists set right what a watch cannot tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clusters import CheckRules, News, Seen, Watched, record_news, take_due_watches
from app.clusters.models import ClusterHealth, ClusterInventory
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from tasks.clusters import watching
from tasks.clusters.gateways.kubernetes import AccessDenied, ClusterAway, RestCluster, kinds
from tasks.clusters.watching import Gathering, watch
from tests.clusters.contract.world import LOOPBACK, config_map
from tests.clusters.test_inventory import read
from tests.clusters.test_sweeps import do_sweep
from tests.support.clusters import Keeper, register
from tests.support.identity import Person, data_of
from tests.support.kubernetes import ApiServer

RULES = CheckRules(timeout=1.0, inventory_interval=3600.0, watches=4)


@pytest.fixture
def looked_into(client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper) -> UUID:
    """A cluster whose inventory was just taken."""
    made = register(client, alice, api_server.access())
    keeper.drain()
    return UUID(made["id"])


@pytest.fixture
def opened(api_server: ApiServer) -> Iterator[RestCluster]:
    cluster = RestCluster(api_server.access(), rules=LOOPBACK, limits=watching.LIMITS)
    yield cluster
    cluster.close()


def take(database: Database, kind: str) -> Watched:
    with database.transaction() as session:
        return next(one for one in take_due_watches(session, 10, 60) if one.kind == kind)


def make_pod(cluster: RestCluster, name: str) -> None:
    body = {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    cluster.create(kinds.POD, body)


def turn(server: ApiServer, watched: Watched, seconds: float = 2.0) -> News:
    gathering = Gathering(watched, seconds, lambda: None)
    cluster = RestCluster(server.access(), rules=LOOPBACK, limits=watching.LIMITS, keep=gathering.keep)
    try:
        return watch(cluster, watched, gathering)
    finally:
        cluster.close()


def test_what_happens_is_seen_without_another_list(
    client: FlaskClient, alice: Person, looked_into: UUID, keeper: Keeper, api_server: ApiServer, opened: RestCluster
) -> None:
    lists = len(listed(api_server))
    threading.Timer(1.5, lambda: make_pod(opened, "fresh")).start()
    with keeper.database.transaction() as session:
        session.execute(update(ClusterHealth).values(next_inventory_at=database_now() + sql_seconds(3600)))
    told = do_sweep(keeper, 6.0, replace(RULES, interval=3600.0))
    assert told["changed"] >= 1
    assert len(listed(api_server)) == lists
    pods = {one["name"]: one["status"] for one in read(client, alice, str(looked_into), "pods")}
    assert pods["fresh"] == "Running"
    (event,) = [one for one in keeper.events("cluster.inventory_changed") if "pods" in one["changes"]][-1:]
    assert event["changes"]["pods"]
    health = data_of(client.get(f"/api/v1/clusters/{looked_into}/health", headers=alice.headers))
    told_of = {one["kind"]: (one["watched"], one["count"]) for one in health["inventory"]}
    assert told_of["pods"] == (True, len(pods))
    assert not told_of["services"][0]


def listed(server: ApiServer) -> list[Any]:
    return [one for one in server.seen if "limit=" in str(one) and "watch" not in str(one)]


def test_each_change_is_told_once_and_what_is_gone_goes(
    database: Database, looked_into: UUID, opened: RestCluster, api_server: ApiServer
) -> None:
    watched = take(database, "pods")
    make_pod(opened, "one")
    opened.delete(kinds.POD, "one", "default", grace=0)
    make_pod(opened, "two")
    news = turn(api_server, watched)
    assert news.objects[("default", "one")] is None
    assert isinstance(news.objects[("default", "two")], Seen)
    with database.transaction() as session:
        assert record_news(session, looked_into, "pods", news, RULES) == 1
        again = session.get_one(ClusterInventory, (looked_into, "pods"))
        assert (again.version, again.watched) == (news.version, True)
        assert record_news(session, looked_into, "pods", news, RULES) is None
    opened.delete(kinds.POD, "two", "default", grace=0)


def test_a_quiet_watch_ends_when_its_time_is_over(database: Database, looked_into: UUID, api_server: ApiServer) -> None:
    began = time.monotonic()
    news = turn(api_server, take(database, "nodes"), 0.5)
    assert (news.objects, news.version is not None) == ({}, True)
    assert time.monotonic() - began < 3


def test_a_history_that_is_forgotten_is_listed_again_soon(
    database: Database, looked_into: UUID, opened: RestCluster, api_server: ApiServer
) -> None:
    watched = take(database, "pods")
    opened.create(kinds.CONFIG_MAP, config_map("default", "noise"))
    api_server.forget_history()
    news = turn(api_server, watched)
    opened.delete(kinds.CONFIG_MAP, "noise", "default")
    assert (news.version, news.soon) == (None, True)
    with database.transaction() as session:
        session.execute(update(ClusterHealth).values(next_inventory_at=database_now() + sql_seconds(3600)))
        record_news(session, looked_into, "pods", news, RULES)
        assert take_due_watches(session, 10, 60) == []
    with database.transaction() as session:
        health = session.get_one(ClusterHealth, looked_into)
        now = session.execute(select(database_now())).scalar_one()
        assert health.next_inventory_at is not None
        assert (health.next_inventory_at - now).total_seconds() < RULES.inventory_interval / 4


@pytest.mark.parametrize(
    ("error", "goes_on"), [(AccessDenied("may not watch"), False), (ClusterAway("connection lost"), True)]
)
def test_a_cluster_that_lets_nobody_watch_is_only_listed(
    database: Database, looked_into: UUID, error: Exception, goes_on: bool
) -> None:
    watched = take(database, "pods")

    class Refusing:
        def watch(self, *_: Any, **__: Any) -> Iterator[Any]:
            raise error

    news = watch(Refusing(), watched, Gathering(watched, 1.0, lambda: None))  # type: ignore[arg-type]
    assert (news.version is not None, news.soon) == (goes_on, False)


def test_more_than_is_kept_is_only_listed(database: Database, looked_into: UUID) -> None:
    watched = take(database, "pods")
    many = {("default", f"p{number}"): Seen("default", f"p{number}", "Running", {}) for number in range(5)}
    news = News(watched.version, "7", many)
    with database.transaction() as session:
        record_news(session, looked_into, "pods", news, replace(RULES, inventory_limit=3))
        row = session.get_one(ClusterInventory, (looked_into, "pods"))
        assert (row.truncated, row.watched, row.version) == (True, False, None)


@pytest.mark.parametrize("line", [b"{}", b"[]", b'{"type": "ADDED", "object": {"metadata": {"name": "p"}}}', b"<html>"])
def test_a_watch_that_tells_nonsense_is_not_gone_on_with(
    database: Database, looked_into: UUID, api_server: ApiServer, line: bytes
) -> None:
    watched = take(database, "pods")
    api_server.faults.add("answer", path="/api/v1/pods", status=200, body=line + b"\n")
    assert turn(api_server, watched) == News(watched.version, None)


def test_no_watch_is_begun_on_a_cluster_that_fails(database: Database, looked_into: UUID) -> None:
    with database.transaction() as session:
        session.execute(update(ClusterHealth).values(failures=1))
        assert take_due_watches(session, 10, 60) == []
