"""The promise under fire: whatever dies in between, a client that resumes gets every event once and in order."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import WebSocketException

from app.kernel.opening import open_redis
from app.realtime.readings import newest_numbers
from launcher.embedded import EmbeddedRedis
from tests.support.stream_world import StreamWorld
from tests.support.websocket import Somebody, Talker

SECONDS = 8.0
WRITERS = 4


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def mortal_world(tmp_path: Path, events_url: str, mortal_redis: EmbeddedRedis) -> Iterator[StreamWorld]:
    with StreamWorld(tmp_path, events_url, mortal_redis.url).running() as world:
        yield world


class Reader(threading.Thread):
    """A client that loses its connection now and then and resumes by id until it has seen the last event."""

    def __init__(self, world: StreamWorld, topics: tuple[str, ...], seed: int) -> None:
        super().__init__()
        self.seen: dict[str, list[int]] = {topic: [] for topic in topics}
        self._world = world
        self._random = random.Random(seed)
        self._deadline = time.monotonic() + SECONDS + 30
        self._last_id: str | None = None
        self._missing = set(topics)

    def run(self) -> None:
        while self._missing and time.monotonic() < self._deadline:
            try:
                self.listen_once()
            except (OSError, EOFError, WebSocketException):
                time.sleep(0.05)

    def listen_once(self) -> None:
        with self._world.listen(",".join(self.seen), self._last_id) as client:
            if client.status != 200:
                time.sleep(0.1)
                return
            for _ in range(self._random.randint(1, 400)):
                event = client.next(10)
                self._last_id = client.last_id
                self.note(event.data)
                if not self._missing:
                    return

    def note(self, event: dict[str, Any]) -> None:
        self.seen[event["topic"]].append(int(event["id"]))
        if event["type"] == "last":
            self._missing.discard(event["topic"])


class TalkingReader(Reader):
    """The same by WebSocket: it names the last events it has heard."""

    def __init__(self, world: StreamWorld, topics: tuple[str, ...], seed: int, token: str) -> None:
        super().__init__(world, topics, seed)
        self._token = token

    def listen_once(self) -> None:
        with Talker(self._world.port) as talker, contextlib.ExitStack() as stack:
            stack.callback(talker.leave)
            after = {topic: str(numbers[-1]) for topic, numbers in self.seen.items() if numbers}
            talker.say("auth", token=self._token)
            talker.say("subscribe", topics=list(self.seen), after=after)
            for _ in range(self._random.randint(3, 400)):
                said = talker.next(10)
                if said["type"] == "closing":
                    return
                if "topic" in said:
                    self.note(said)
                if not self._missing:
                    return


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_whatever_dies(mortal_world: StreamWorld, mortal_redis: EmbeddedRedis) -> None:
    world = mortal_world
    somebody = Somebody()
    topics = (world.make_job(somebody.user_id), world.make_job(somebody.user_id))
    readers = [Reader(world, topics[: 1 + seed % 2], seed) for seed in range(4)]
    readers += [TalkingReader(world, topics[: 1 + seed % 2], seed, somebody.token) for seed in range(4)]
    until = time.monotonic() + SECONDS
    writers = [threading.Thread(target=write, args=(world, topics, until)) for _ in range(WRITERS)]
    for thread in [*readers, *writers]:
        thread.start()
    upset(world, mortal_redis, until)
    for writer in writers:
        writer.join()
    for topic in topics:
        world.publish(topic, "last")
    for reader in readers:
        reader.join()
    newest = {topic: newest_of(world, topic) for topic in topics}
    assert min(newest.values()) > 50
    for reader in readers:
        assert reader.seen == {topic: list(range(1, newest[topic] + 1)) for topic in reader.seen}


def write(world: StreamWorld, topics: tuple[str, ...], until: float) -> None:
    while time.monotonic() < until:
        for topic in topics:
            world.publish(topic, *["step"] * random.randint(1, 3))
        time.sleep(0.01)


def upset(world: StreamWorld, redis: EmbeddedRedis, until: float) -> None:
    """Wipe, kill and restart what lies between the rows and the clients."""
    turn = 0
    while time.monotonic() < until:
        time.sleep(0.4)
        turn += 1
        if turn % 4 == 1:
            open_redis(redis.url).flushall()
        elif turn % 4 == 2:
            redis.kill()
            time.sleep(0.3)
            redis.start()
        elif turn % 4 == 3:
            world.stop(signal.SIGKILL if turn % 8 == 3 else signal.SIGTERM)
            world.start()


def newest_of(world: StreamWorld, topic: str) -> int:
    return newest_numbers(world.database, [topic])[topic]
