"""Watches and logs on servers that drop them, fall silent or tell nonsense."""

from __future__ import annotations

import threading
import time
from itertools import islice

import pytest

from tasks.clusters.gateways.kubernetes import (
    AnswerTooLarge,
    ClusterAway,
    NotKubernetes,
    ObjectInvalid,
    RestCluster,
    kinds,
)
from tests.support.kubernetes import ApiServer


def test_a_watch_that_is_dropped_is_told_after_what_it_told(server: ApiServer, cluster: RestCluster) -> None:
    since = cluster.list_page(kinds.CONFIG_MAP, "default").version
    for number in range(3):
        body = {"metadata": {"generateName": "w-", "namespace": "default", "labels": {"n": str(number)}}}
        cluster.create(kinds.CONFIG_MAP, body)
    server.faults.add("drop watch", path="/api/v1/namespaces/default/configmaps", events=2)
    changes = cluster.watch(kinds.CONFIG_MAP, "default", since=since, seconds=5)
    assert [change.object["metadata"]["labels"]["n"] for change in islice(changes, 2)] == ["0", "1"]
    with pytest.raises(ClusterAway):
        next(changes)


def test_a_watch_that_falls_silent_is_given_up(server: ApiServer, cluster: RestCluster) -> None:
    since = cluster.list_page(kinds.CONFIG_MAP, "default").version
    began = time.monotonic()
    with pytest.raises(ClusterAway, match="in time"):
        list(cluster.watch(kinds.CONFIG_MAP, "default", since=since, seconds=30))
    assert time.monotonic() - began < 5


def test_a_line_without_end_is_refused(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("answer", status=200, body=b"x" * 1000, copies=50)
    with pytest.raises(AnswerTooLarge, match="line"):
        list(cluster.watch(kinds.POD, "default", since="1", seconds=5))


@pytest.mark.parametrize("line", [b"{}\n", b"nonsense\n", b'{"type": "ADDED", "object": 7}\n', b'{"type": "ODD"}\n'])
def test_a_watch_that_tells_nonsense_is_not_kubernetes(server: ApiServer, cluster: RestCluster, line: bytes) -> None:
    server.faults.add("answer", status=200, body=line)
    with pytest.raises(NotKubernetes):
        list(cluster.watch(kinds.POD, "default", since="1", seconds=5))


def test_a_log_is_followed_line_by_line(server: ApiServer, cluster: RestCluster) -> None:
    server.logs.write("default", "p", b"one", b"two")
    lines = cluster.follow_log("p", "default")
    assert list(islice(lines, 2)) == [b"one", b"two"]
    threading.Timer(0.2, lambda: server.logs.write("default", "p", b"three", ended=True)).start()
    assert list(lines) == [b"three"]
    assert list(cluster.follow_log("p", "default", follow=False, tail=1)) == [b"three"]
    with pytest.raises(ObjectInvalid, match="waiting to start"):
        list(cluster.follow_log("not-begun", "default"))
