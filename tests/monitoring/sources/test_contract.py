"""What each source keeps to: a Prometheus in memory, a real one where there is one, and a cluster's metrics API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from app.kernel.addresses import AddressRules
from app.monitoring import Asked, Incoming, SourceAccess, text_of
from tasks.clusters.gateways.kubernetes import Limits, RestCluster
from tasks.gateways.lookup import Keep
from tasks.monitoring.gateways import (
    KubernetesSource,
    PrometheusSource,
    Source,
    SourceAway,
    SourceRefused,
    TooMuch,
    Unreadable,
)
from tests.support.kubernetes import ApiServer, serving
from tests.support.kubernetes.measuring import measure_node, measure_pod
from tests.support.prometheus import (
    NODE_EXPORTER,
    PROGRAM,
    prometheus_in_memory,
    real_node_exporter,
    real_prometheus,
)

HERE = AddressRules(allow_private=True, allow_loopback=True)
LIMITS = Limits(connect=2.0, first_byte=5.0, whole=5.0, max_bytes=200_000)
ASKED = (Asked("up"), Asked("sum(up)", "all_up"))


class Ended(Exception):
    """What ends a call."""


@dataclass
class World:
    """A source's server: how it is opened, and how it goes wrong. One that is `real` cannot be made to."""

    open: Callable[[Keep, str], Source]
    break_by: Callable[[int, bytes], None] = lambda _status, _body: None
    hold: Callable[[], None] = lambda: None
    stop: Callable[[], None] = lambda: None
    expected: set[str] = field(default_factory=set)
    real: bool = False

    def read(self, token: str = "right", keep: Keep = lambda: None) -> list[Incoming]:
        """Read the last minute."""
        source = self.open(keep, token)
        now = int(time.time())
        try:
            return source.read(now - 60, now).series
        finally:
            source.close()


def fill_prometheus(stack: ExitStack) -> World:
    prometheus = stack.enter_context(prometheus_in_memory())
    prometheus.authorization = "Bearer right"
    now = int(time.time())
    prometheus.put("up", [(float(at), 1.0) for at in range(now - 300, now + 300, 15)], job="shop")
    prometheus.put("up", [(now - 20.0, float("nan")), (now - 10.0, float("inf")), (now - 5.0, 1.0)], job="new")

    def open_it(keep: Keep, token: str) -> Source:
        return PrometheusSource(SourceAccess(prometheus.url, token), ASKED, step=15, rules=HERE, keep=keep)

    def break_by(status: int, body: bytes) -> None:
        prometheus.answer = lambda _: (status, body)

    expected = {'up{job="shop"}', 'up{job="new"}', "all_up"}
    return World(open_it, break_by, prometheus.held.set, stack.close, expected)


def fill_cluster(stack: ExitStack) -> World:
    server: ApiServer = stack.enter_context(serving())
    now = time.time()
    measure_node(server.api, "n1", "1500m", "2Gi", now - 10)
    measure_pod(server.api, "default", "web-1", {"web": ("250000000n", "300Mi"), "sidecar": ("5m", "1e6")}, now - 10)
    measure_pod(server.api, "default", "gone", {"old": ("1", "1Gi")}, now - 4000)

    def open_it(keep: Keep, token: str) -> Source:
        access = server.access(None if token == "right" else token)
        return KubernetesSource(RestCluster(access, rules=HERE, limits=LIMITS, keep=keep))

    def break_by(status: int, body: bytes) -> None:
        server.faults.add("answer", status=status, body=body)

    pods = [{"namespace": "default", "pod": "web-1", "container": name} for name in ("web", "sidecar")]
    expected = {text_of(f"kubernetes_pod_{what}", labels) for labels in pods for what in ("cpu_cores", "memory_bytes")}
    expected |= {text_of(f"kubernetes_node_{what}", {"node": "n1"}) for what in ("cpu_cores", "memory_bytes")}

    def hold() -> None:
        server.faults.add("black hole")

    return World(open_it, break_by, hold, stack.close, expected)


@pytest.fixture(scope="module")
def real_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if PROGRAM is None:
        pytest.skip("there is no Prometheus on this machine")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with real_prometheus(folder) as url:
        yield url


@pytest.fixture(params=["prometheus", "cluster", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        if request.param == "real":
            url = request.getfixturevalue("real_url")
            expected = {text_of("up", {"instance": url.removeprefix("http://"), "job": "itself"}), "all_up"}
            yield World(
                lambda keep, token: PrometheusSource(SourceAccess(url), ASKED, step=1, rules=HERE, keep=keep),
                expected=expected,
                real=True,
            )
        else:
            yield {"prometheus": fill_prometheus, "cluster": fill_cluster}[request.param](stack)


def test_it_tells_what_it_has_of_the_time(world: World) -> None:
    now = time.time()
    series = world.read()
    assert {text_of(one.name, one.labels) for one in series} == world.expected
    for one in series:
        assert len(one.points)
        assert np.isfinite(one.points.values).all()
        assert (np.diff(one.points.times) > 0).all()
        assert (now - 62) * 1e6 < one.points.times[0]
        assert one.points.times[-1] <= (now + 1) * 1e6


def test_what_goes_wrong_is_said_in_the_words_of_sources(world: World) -> None:
    if world.real:
        return
    with pytest.raises(SourceRefused):
        world.read(token="wrong")
    world.break_by(503, b"{}")
    with pytest.raises(SourceAway):
        world.read()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"status":"success","data":{"result":3},"items":3}', b"\xff"])
def test_what_cannot_be_read_is_said_to_be_unreadable(world: World, body: bytes) -> None:
    if not world.real:
        world.break_by(200, body)
        with pytest.raises(Unreadable):
            world.read()


def test_an_answer_without_end_is_not_read(world: World) -> None:
    if not world.real:
        world.break_by(200, b'{"items": [' + b" " * 33 * 1024 * 1024)
        with pytest.raises(TooMuch):
            world.read()


def test_one_that_is_gone_is_away(world: World) -> None:
    if not world.real:
        world.stop()
        with pytest.raises(SourceAway):
            world.read()


def test_a_call_ends_when_its_work_must(world: World) -> None:
    if world.real:
        return
    began = time.monotonic()

    def keep() -> None:
        if time.monotonic() - began > 0.3:
            raise Ended

    world.hold()
    with pytest.raises(Ended):
        world.read(keep=keep)
    assert time.monotonic() - began < 5


@pytest.mark.skipif(PROGRAM is None or NODE_EXPORTER is None, reason="there is no Prometheus with a node_exporter here")
def test_what_a_node_exporter_measures_is_read_from_the_prometheus_that_watches_it(tmp_path: Path) -> None:
    asked = (Asked("node_memory_MemTotal_bytes"), Asked("sum by (mode) (rate(node_cpu_seconds_total[20s]))", "cpu"))
    with real_node_exporter(tmp_path) as node, real_prometheus(tmp_path, node=node) as url:
        source = PrometheusSource(SourceAccess(url), asked, step=1, rules=HERE, keep=lambda: None)
        now = int(time.time())
        found = {text_of(one.name, one.labels): one.points.values for one in source.read(now - 60, now + 1).series}
        source.close()
    memory = found.pop(text_of("node_memory_MemTotal_bytes", {"instance": node, "job": "node"}))
    told = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    assert set(memory) == {int(told.split()[1]) * 1024.0}
    assert {text_of("cpu", {"mode": mode}) for mode in ("idle", "user", "system")} <= found.keys()
    assert all((values >= 0).all() for values in found.values())
