"""Streams of events: the history, then what happens, each event once and in order."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from app.kernel.opening import open_redis
from app.kernel.stream import LIVE_KEY
from tests.support.sse import SseClient
from tests.support.stream_world import StreamWorld, wait_for

# Connections to the database, which come and stay as they are needed.
POOLED = 10


def test_a_stream_gives_the_history_then_what_happens_then_the_end(world: StreamWorld, topic: str) -> None:
    world.publish(topic, "job.queued", "job.started", percent=1)
    with world.listen(topic, ends_on="job.succeeded") as client:
        first = client.take(2)
        world.publish(topic, "job.succeeded", text="a\nb\u2028")
        last = list(client.rest())
    assert client.status == 200
    assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert client.headers["cache-control"] == "no-store"
    assert client.headers["connection"] == "close"
    assert client.headers["x-request-id"] == "r1"
    assert client.retry == 2000
    assert [(event.id, event.type) for event in first] == [("1", "job.queued"), ("2", "job.started")]
    assert [(event.id, event.type) for event in last] == [("3", "job.succeeded"), (None, "end")]
    timestamp = last[0].data.pop("timestamp")
    assert timestamp.endswith("Z")
    assert last[0].data == {"id": "3", "type": "job.succeeded", "topic": topic, "data": {"text": "a\nb\u2028"}}


def test_a_long_history_comes_whole(world: StreamWorld, topic: str) -> None:
    for _ in range(3):
        world.publish(topic, *["step"] * 500, text="x" * 300)
    with world.listen(topic) as client:
        assert [event.id for event in client.take(1500)] == [str(seq) for seq in range(1, 1501)]


def test_what_is_long_is_heard_whole_and_lies_in_memory_as_a_hint(world: StreamWorld, topic: str) -> None:
    world.publish(topic, "first", text="x")
    with world.listen(topic) as client:
        client.next()
        world.publish(topic, "short", "long", text="y" * 100_000)
        assert [event.data["data"]["text"] for event in client.take(2)] == ["y" * 100_000] * 2
    live = open_redis(world.redis_url).xrevrange(LIVE_KEY, count=50)
    mine = [fields[b"e"] for _, fields in live if topic.encode() in fields[b"e"]]
    assert len(mine) == 3
    assert max(map(len, mine)) < 1000


def test_a_client_resumes_after_the_id_it_names(world: StreamWorld, topic: str) -> None:
    world.publish(topic, "a", "b", "c")
    with world.listen(topic, "2") as client:
        assert client.next().id == "3"
    with SseClient(world.port, f"/events?topics={topic}&last_event_id=1") as client:
        assert client.next().id == "2"


def test_listeners_of_one_topic_at_different_places_are_served_alike(world: StreamWorld, topic: str) -> None:
    world.publish(topic, *["step"] * 40)
    clients = [world.listen(topic, str(place)) for place in range(0, 41, 4)]
    world.publish(topic, "last")
    for place, client in zip(range(0, 41, 4), clients, strict=True):
        with client:
            assert [event.id for event in client.take(41 - place)] == [str(seq) for seq in range(place + 1, 42)]


def test_several_topics_share_a_stream_whose_ids_count_each(world: StreamWorld) -> None:
    name = uuid4()
    a, b = f"workspace:{name}-a", f"workspace:{name}-b"
    world.publish(a, "one", "two")
    world.publish(b, "one")
    with world.listen(f"{b},{a}") as client:
        seen = client.take(3)
        world.publish(b, "two")
        seen.append(client.next())
    assert sorted((event.data["topic"], event.data["id"]) for event in seen) == [(a, "1"), (a, "2"), (b, "1"), (b, "2")]
    assert seen[-1].id == "2.2"
    world.publish(a, "three")
    with world.listen(f"{a},{b}", seen[0].id) as client:
        again = client.take(3)
    assert [(event.data["topic"], event.data["id"]) for event in [seen[0], *again]].count((a, "3")) == 1
    assert len({(event.data["topic"], event.data["id"]) for event in [seen[0], *again]}) == 4


@pytest.mark.parametrize("junk", ["x", "-1", "1.2", "1-2", "1e3", "9" * 19, "1 2", "\u0661", "0x1", "1;", "."])
def test_a_junk_id_is_refused_and_names_the_field(world: StreamWorld, topic: str, junk: str) -> None:
    with SseClient(world.port, f"/events?topics={topic}", junk) as client:
        assert client.status == 422
        assert b"Last-Event-ID" in client.body()


def test_an_id_from_the_future_starts_at_the_newest(world: StreamWorld, topic: str) -> None:
    world.publish(topic, "a", "b")
    with world.listen(topic) as other, world.listen(topic, "999999999999999999") as client:
        other.take(2)
        client.settle()
        world.publish(topic, "c")
        assert client.next().id == "3"
        assert other.next().id == "3"


def test_a_topic_without_events_waits_for_its_first(world: StreamWorld, topic: str) -> None:
    with world.listen(topic, "5") as client:
        client.settle()
        world.publish(topic, "first")
        assert client.next().id == "1"


def test_an_ended_topic_ends_at_once_and_a_retried_one_goes_on(world: StreamWorld, topic: str) -> None:
    world.publish(topic, "job.queued", "job.failed")
    with world.listen(topic, "2", ends_on="job.failed,job.succeeded") as client:
        assert [event.type for event in client.rest()] == ["end"]
    world.publish(topic, "job.queued")
    with world.listen(topic, "2", ends_on="job.failed,job.succeeded") as client:
        assert client.next().type == "job.queued"
        world.publish(topic, "job.succeeded")
        assert [event.type for event in client.rest()] == ["job.succeeded", "end"]


def test_events_whose_rows_have_expired_are_passed_over(world: StreamWorld, topic: str) -> None:
    world.publish(topic, *["step"] * 60)
    with world.database.transaction() as session:
        session.execute(text("DELETE FROM stream_events WHERE topic = :topic AND seq <= 55"), {"topic": topic})
    with world.listen(topic, "3") as client:
        assert [event.id for event in client.take(5)] == ["56", "57", "58", "59", "60"]


def test_a_quiet_stream_has_a_heartbeat(world: StreamWorld, topic: str) -> None:
    with world.listen(topic) as client:
        with pytest.raises(TimeoutError):
            client.next(2.5)
        assert client.comments >= 2


def test_a_client_of_http_1_0_is_served(world: StreamWorld, topic: str) -> None:
    world.publish(topic, "a")
    with SseClient(world.port, f"/events?topics={topic}&ends_on=a", version="1.0") as client:
        assert [event.type for event in client.rest()] == ["a", "end"]


def test_a_head_request_gets_a_head(world: StreamWorld, topic: str) -> None:
    with SseClient(world.port, f"/events?topics={topic}", method="HEAD") as client:
        assert client.status == 200
        assert client.headers["content-type"].startswith("text/event-stream")


def test_what_a_client_says_is_ignored_until_it_is_a_flood(world: StreamWorld, topic: str) -> None:
    with world.listen(topic) as client:
        client.socket.sendall(b"GET /plain HTTP/1.1\r\nHost: test\r\n\r\n")
        world.publish(topic, "a")
        assert client.next().id == "1"
        with pytest.raises((EOFError, ConnectionError)):
            flood(client)


def flood(client: SseClient) -> None:
    for _ in range(100):
        client.socket.sendall(b"x" * 4096)
    client.next(5)


def test_a_client_that_leaves_gives_everything_back(world: StreamWorld, topic: str) -> None:
    before = world.descriptors_at_rest()
    clients = [world.listen(f"{topic}-{number % 7}") for number in range(50)]
    wait_for(lambda: world.descriptors() >= before + 50)
    for client in clients:
        client.close()
    wait_for(lambda: world.descriptors() <= before + POOLED)
