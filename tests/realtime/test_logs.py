"""Following a step's log: lines as they come, from any place, across attempts, to the end."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.sse import Sent, SseClient
from tests.support.stream_world import StreamWorld, log_line


@pytest.fixture
def step() -> str:
    return str(uuid4())


def lines_of(events: list[Sent]) -> list[tuple[int, int]]:
    return [(event.data["data"]["attempt"], line["seq"]) for event in events for line in event.data["data"]["lines"]]


def read_lines(client: SseClient, count: int) -> list[Sent]:
    events: list[Sent] = []
    while len(lines_of(events)) < count:
        events.append(client.next())
    return events


def test_a_log_is_followed_to_its_end(world: StreamWorld, step: str) -> None:
    world.write_log(step, {1: 2})
    with world.follow(step) as client:
        first = client.next()
        world.write_log(step, {1: 3})
        second = client.next()
        world.write_log(step, {1: 4}, ended=True)
        rest = list(client.rest())
    assert first.id == "1-2"
    assert first.type == "log"
    assert first.data["topic"] == f"log:{step}"
    assert first.data["data"] == {"lines": [log_line(1, 1), log_line(1, 2)], "attempt": 1}
    assert second.data["data"]["lines"] == [log_line(1, 3)]
    assert [(event.id, event.type) for event in rest] == [("1-4", "log"), (None, "end")]


def test_a_log_grows_though_nobody_is_woken(world: StreamWorld, step: str) -> None:
    world.write_log(step, {1: 1})
    with world.follow(step) as client:
        client.next()
        world.write_log(step, {1: 2}, wake=False)
        assert client.next(5).id == "1-2"


def test_a_later_attempt_follows_the_one_before(world: StreamWorld, step: str) -> None:
    world.write_log(step, {1: 3})
    with world.follow(step, "1-1") as client:
        assert lines_of([client.next()]) == [(1, 2), (1, 3)]
        world.write_log(step, {1: 3, 2: 2}, ended=True)
        assert lines_of([event for event in client.rest() if event.type == "log"]) == [(2, 1), (2, 2)]


def test_followers_at_different_places_each_get_every_line_once(world: StreamWorld, step: str) -> None:
    world.write_log(step, {1: 5000})
    clients = {place: world.follow(step, f"1-{place}" if place else None) for place in (0, 7, 1999, 2500, 4999, 5000)}
    world.write_log(step, {1: 5000, 2: 10}, ended=True)
    for place, client in clients.items():
        with client:
            seen = lines_of([event for event in client.rest() if event.type == "log"])
        assert seen == [(1, seq) for seq in range(place + 1, 5001)] + [(2, seq) for seq in range(1, 11)]


def test_a_follower_in_the_middle_of_what_another_was_sent_gets_the_rest_of_it(world: StreamWorld, step: str) -> None:
    world.write_log(step, {1: 10})
    with world.follow(step) as early:
        assert early.next().id == "1-10"
        with world.follow(step, "1-4") as late:
            assert lines_of([late.next()]) == [(1, seq) for seq in range(5, 11)]
            world.write_log(step, {1: 11})
            assert late.next().id == early.next().id == "1-11"


def test_a_log_that_cannot_be_read_for_a_while_is_followed_when_it_can(world: StreamWorld, step: str) -> None:
    with world.follow(step) as client:
        client.settle()
        world.write_log(step, {1: 1}, ended=True)
        assert [event.type for event in client.rest()] == ["log", "end"]


@pytest.mark.parametrize("junk", ["1", "1.1", "x-1", "1-", "-1-1"])
def test_a_junk_id_of_a_log_is_refused(world: StreamWorld, step: str, junk: str) -> None:
    with world.follow(step, junk) as client:
        assert client.status == 422
