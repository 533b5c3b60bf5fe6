"""Watches: all that happened since a list, in order, until their time is over."""

from __future__ import annotations

import time

import pytest

from tasks.clusters.gateways.kubernetes import Change, HistoryGone, Kind, RestCluster, kinds
from tests.clusters.contract.world import config_map

MAP = kinds.CONFIG_MAP


def told(cluster: RestCluster, space: str, since: str, count: int, labels: str | None = None) -> list[Change]:
    found: list[Change] = []
    for change in cluster.watch(MAP, space, since=since, seconds=10, labels=labels):
        if change.type != "BOOKMARK":
            found.append(change)
        if len(found) == count:
            break
    return found


def test_a_watch_tells_what_happened_since_in_its_order(cluster: RestCluster, space: str) -> None:
    since = cluster.list_page(MAP, space).version
    cluster.create(MAP, config_map(space, labels={"mine": "yes"}))
    cluster.patch(MAP, "c", space, change={"data": {"a": "1"}})
    cluster.delete(MAP, "c", space)
    changes = told(cluster, space, since, 3, labels="mine")
    assert [(change.type, change.object.get("data") or {}) for change in changes] == [
        ("ADDED", {}),
        ("MODIFIED", {"a": "1"}),
        ("DELETED", {"a": "1"}),
    ]


def test_a_watch_can_be_taken_up_after_any_change(cluster: RestCluster, space: str) -> None:
    since = cluster.list_page(MAP, space).version
    for name in ("one", "two", "three"):
        cluster.create(MAP, config_map(space, name, labels={"mine": "yes"}))
    first = told(cluster, space, since, 1, labels="mine")[0]
    rest = told(cluster, space, first.version, 2, labels="mine")
    assert [change.object["metadata"]["name"] for change in (first, *rest)] == ["one", "two", "three"]
    versions = [int(change.version) for change in (first, *rest)]
    assert versions == sorted(set(versions))


def test_what_ceases_to_match_is_deleted_to_a_watch_with_labels(cluster: RestCluster, space: str) -> None:
    since = cluster.list_page(MAP, space).version
    cluster.create(MAP, config_map(space, labels={"team": "a"}))
    cluster.patch(MAP, "c", space, change={"metadata": {"labels": {"team": "b"}}})
    cluster.patch(MAP, "c", space, change={"metadata": {"labels": {"team": "a"}}})
    types = [change.type for change in told(cluster, space, since, 3, labels="team=a")]
    assert types == ["ADDED", "DELETED", "ADDED"]


def test_a_watch_ends_in_its_time_with_a_bookmark(cluster: RestCluster, space: str) -> None:
    since = cluster.list_page(MAP, space).version
    cluster.create(MAP, config_map(space, labels={"mine": "yes"}))
    began = time.monotonic()
    changes: list[Change] = []
    for change in cluster.watch(MAP, space, since=since, seconds=5, labels="mine"):
        if not changes:
            # A bookmark is worth a line only when something has happened since the watch began.
            cluster.patch(MAP, "c", space, change={"data": {"a": "1"}})
        changes.append(change)
    assert 3 < time.monotonic() - began < 20
    assert [change.type for change in changes] == ["ADDED", "MODIFIED", "BOOKMARK"]
    assert int(changes[-1].version) >= int(changes[-2].version)


def test_a_version_that_is_too_old_is_gone(cluster: RestCluster, space: str, widget: Kind) -> None:
    with pytest.raises(HistoryGone):
        list(cluster.watch(widget, space, since="1", seconds=4))
