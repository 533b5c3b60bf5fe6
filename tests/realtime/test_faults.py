"""What a client sees when something dies, is full, is slow, or when its right ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from app.kernel.opening import open_redis
from app.kernel.stream import LIVE_KEY
from tests.support.sse import SseClient
from tests.support.stream_world import StreamWorld, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def small_world(tmp_path: Path, events_url: str, live_url: str) -> Iterator[StreamWorld]:
    with StreamWorld(tmp_path, events_url, live_url, max_streams=2).running() as world:
        yield world


def test_a_killed_stream_process_is_missed_and_its_successor_goes_on(small_world: StreamWorld, topic: str) -> None:
    world = small_world
    world.publish(topic, "a")
    client = world.listen(topic)
    assert client.next().id == "1"
    world.stop(signal.SIGKILL)
    assert list(client.rest()) == []
    client.close()
    with world.listen(topic, "1") as refused:
        assert refused.status == 503
        assert refused.headers["retry-after"] == "2"
        assert b"SERVICE_UNAVAILABLE" in refused.body()
    world.publish(topic, "b")
    world.start()
    with world.listen(topic, "1") as client:
        assert client.next().id == "2"


def test_a_full_stream_process_refuses_until_somebody_leaves(small_world: StreamWorld, topic: str) -> None:
    with small_world.listen(topic) as first, small_world.listen(topic):
        with small_world.listen(topic) as third:
            assert third.status == 503
        first.close()
        wait_for(lambda: status_of(small_world, topic) == 200)


def status_of(world: StreamWorld, topic: str) -> int:
    with world.listen(topic) as client:
        return client.status


def test_a_stopping_stream_process_says_when_to_come_again(small_world: StreamWorld, topic: str) -> None:
    with small_world.listen(topic) as first, small_world.listen(topic) as second:
        first.settle()
        second.settle()
        began = time.monotonic()
        small_world.stop()
        assert time.monotonic() - began < 5
        assert list(first.rest()) == []
        assert list(second.rest()) == []
        assert 500 <= (first.retry or 0) <= 3000
    assert not small_world.socket_path.exists()


def test_a_successor_takes_over_the_socket_while_the_predecessor_serves_on(
    small_world: StreamWorld, topic: str
) -> None:
    old = small_world.process
    assert old is not None
    with small_world.listen(topic) as before:
        small_world.start()
        with small_world.listen(topic) as after:
            small_world.publish(topic, "a")
            assert before.next().id == after.next().id == "1"
            old.terminate()
            assert old.wait(10) == 0
            small_world.publish(topic, "b")
            assert after.next().id == "2"
    assert status_of(small_world, topic) == 200


def test_live_entries_nobody_can_read_lose_nothing(world: StreamWorld, topic: str, live_url: str) -> None:
    with world.listen(topic) as client, closing(open_redis(live_url)) as redis:
        client.settle()
        with redis.pipeline() as together:
            for junk in (b"", b"{", b"[]", b'{"topic": 1}'):
                together.xadd(LIVE_KEY, {b"e": junk})
            together.xadd(LIVE_KEY, {b"other": b"field"})
            together.execute()
        world.publish(topic, "a", "b")
        assert [event.id for event in client.take(2)] == ["1", "2"]


def test_a_slow_client_delays_nobody_and_misses_nothing(world: StreamWorld, topic: str) -> None:
    memory = world.memory()
    seen = []
    with world.listen(topic) as slow, world.listen(topic) as quick:
        for _ in range(60):
            world.publish(topic, *["step"] * 20, text="x" * 20_000)
            assert len(quick.take(20)) == 20
            seen.append(slow.next())
        assert world.memory() - memory < 20e6
        assert [event.id for event in seen + slow.take(1140)] == [str(seq) for seq in range(1, 1201)]
        world.publish(topic, "last")
        assert slow.next().type == quick.next().type == "last"


def test_a_client_that_takes_nothing_is_dropped(world: StreamWorld, topic: str) -> None:
    clients = [world.listen(topic) for _ in range(20)]
    wait_for(lambda: world.descriptors() > 20)
    many = world.descriptors()
    for _ in range(40):
        world.publish(topic, *["step"] * 10, text="x" * 50_000)
    wait_for(lambda: world.descriptors() <= many - 10)
    for client in clients:
        client.close()


def test_a_stream_ends_with_the_login_it_came_from(world: StreamWorld, topic: str) -> None:
    login, other = str(uuid4()), str(uuid4())
    with world.listen(topic, login=login) as client, world.listen(topic, login=other) as friend:
        (world.folder / "ended").write_text(login)
        began = time.monotonic()
        assert list(client.rest()) == []
        assert time.monotonic() - began < 5
        world.publish(topic, "a")
        assert friend.next().id == "1"


def test_many_idle_listeners_do_not_slow_a_plain_request(world: StreamWorld, topic: str) -> None:
    alone = fastest_plain(world)
    clients = [world.listen(topic) for _ in range(500)]
    try:
        assert fastest_plain(world) < 3 * alone + 0.005
        world.publish(topic, "a")
        assert {client.next().id for client in clients} == {"1"}
    finally:
        for client in clients:
            client.close()


def fastest_plain(world: StreamWorld) -> float:
    times = []
    for _ in range(50):
        began = time.monotonic()
        with SseClient(world.port, "/plain") as client:
            assert client.body() == b"plain"
        times.append(time.monotonic() - began)
    return min(times)
