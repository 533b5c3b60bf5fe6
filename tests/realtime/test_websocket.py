"""WebSockets: who is there, what they hear, where they resume, and when it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kernel.handover import HandoverFailed, count_listeners
from tests.support.stream_world import StreamWorld, wait_for
from tests.support.websocket import Somebody, Talker, ids

pytestmark = pytest.mark.slow


@pytest.fixture
def alice() -> Somebody:
    return Somebody()


@pytest.fixture
def job(world: StreamWorld, alice: Somebody) -> str:
    """The topic of a job of Alice's."""
    return world.make_job(alice.user_id)


@pytest.fixture
def mortal_world(tmp_path: Path, events_url: str, live_url: str) -> Iterator[StreamWorld]:
    with StreamWorld(tmp_path, events_url, live_url, max_websockets=3, auth_seconds=1.0).running() as world:
        yield world


def test_a_subscriber_hears_the_history_then_what_happens(world: StreamWorld, alice: Somebody, job: str) -> None:
    world.publish(job, "job.queued", "job.running", percent=1)
    with Talker(world.port) as talker:
        answer = talker.ask("auth", id="first", token=alice.token)
        assert answer == {"type": "auth_result", "id": "first", "success": True, "user_id": str(alice.user_id)}
        talker.subscribe(job)
        history = talker.take(2)
        world.publish(job, "job.succeeded", text="a\nb\u2028é")
        last = talker.next()
    assert [(event["id"], event["type"]) for event in history] == [("1", "job.queued"), ("2", "job.running")]
    assert last.pop("timestamp").endswith("Z")
    assert last == {"id": "3", "type": "job.succeeded", "topic": job, "data": {"text": "a\nb\u2028é"}}


def test_what_is_said_at_once_is_answered_in_order(world: StreamWorld, alice: Somebody, job: str) -> None:
    with Talker(world.port) as talker:
        talker.say("auth", token=alice.token)
        talker.say("subscribe", topics=[job], id="s")
        talker.say("ping", id="p")
        answers = talker.take(3)
    assert [(answer["type"], answer.get("id")) for answer in answers] == [
        ("auth_result", None),
        ("subscribe_result", "s"),
        ("pong", "p"),
    ]


def test_a_member_hears_what_belongs_to_the_organization(world: StreamWorld, alice: Somebody) -> None:
    topic = world.make_job(organization_id=alice.organization_id)
    world.publish(topic, "a")
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(topic)
        assert talker.next()["id"] == "1"


def test_a_subscriber_resumes_with_nothing_lost_or_doubled(world: StreamWorld, alice: Somebody, job: str) -> None:
    other = world.make_job(alice.user_id)
    world.publish(job, *["step"] * 60)
    world.publish(other, *["step"] * 3)
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job, other, after={job: "41", other: 1})
        heard = talker.take(21)
        world.publish(job, "last")
        heard.append(talker.next())
    assert ids([event for event in heard if event["topic"] == job]) == list(range(42, 62))
    assert ids([event for event in heard if event["topic"] == other]) == [2, 3]


def test_a_subscriber_may_begin_with_what_is_new(world: StreamWorld, alice: Somebody, job: str) -> None:
    world.publish(job, "a", "b")
    with Talker(world.port, alice.token) as talker, world.listen(job) as witness:
        talker.subscribe(job, after={job: "latest"})
        witness.settle()
        world.publish(job, "c")
        assert talker.next()["id"] == "3"


def test_many_listeners_of_both_kinds_hear_the_same(world: StreamWorld, alice: Somebody, job: str) -> None:
    talkers = [Talker(world.port, alice.token) for _ in range(20)]
    for place, talker in enumerate(talkers):
        talker.subscribe(job, after={job: 2 * place})
    with world.listen(job) as client:
        world.publish(job, *["step"] * 40)
        assert [event.id for event in client.take(40)] == [str(seq) for seq in range(1, 41)]
    assert ids(talkers[0].take(40)) == list(range(1, 41))
    for talker in talkers:
        talker.socket.close()


def test_who_unsubscribes_hears_no_more_and_may_come_back(world: StreamWorld, alice: Somebody, job: str) -> None:
    other = world.make_job(alice.user_id)
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job, other)
        world.publish(job, "a")
        assert talker.next()["topic"] == job
        assert talker.ask("unsubscribe", topics=[job, "job:never"])["type"] == "unsubscribe_result"
        world.publish(job, "b")
        world.publish(other, "a")
        assert talker.next()["topic"] == other
        talker.subscribe(job, after={job: "1"})
        assert (talker.next()["id"], talker.ask("ping")) == ("2", {"type": "pong"})


def test_a_topic_is_heard_once_however_often_it_is_asked_for(world: StreamWorld, alice: Somebody, job: str) -> None:
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job)
        assert talker.ask("subscribe", topics=[job, job])["topics"] == [job]
        world.publish(job, "a")
        assert [talker.next()["id"], talker.ask("ping")["type"]] == ["1", "pong"]


def test_it_ends_with_the_login_within_five_seconds(world: StreamWorld, job: str) -> None:
    bob = Somebody()
    with Talker(world.port, bob.token) as talker:
        (world.folder / "ended").write_text(str(bob.login_id))
        began = time.monotonic()
        assert talker.rest() == []
        assert time.monotonic() - began < 5
        assert (talker.code, talker.reason) == (4001, "the login has ended")
    with Talker(world.port) as talker:
        assert talker.ask("auth", token=bob.token)["error"]["code"] == "TOKEN_REVOKED"


def test_a_topic_ends_with_the_membership_within_five_seconds(world: StreamWorld, alice: Somebody, job: str) -> None:
    shared = world.make_job(organization_id=alice.organization_id)
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job, shared)
        (world.folder / "ended").write_text(str(alice.organization_id))
        lost = talker.next(5)
        assert (lost["type"], lost["topics"]) == ("unsubscribed", [shared])
        world.publish(shared, "a")
        world.publish(job, "a")
        assert talker.next()["topic"] == job
        assert talker.ask("subscribe", topics=[shared])["refused"][0]["error"]["code"] == "RESOURCE_NOT_FOUND"


def test_a_stopping_process_says_when_and_where_to_come_again(mortal_world: StreamWorld, alice: Somebody) -> None:
    world = mortal_world
    job = world.make_job(alice.user_id)
    world.publish(job, "a", "b")
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job)
        talker.take(2)
        world.stop()
        shutdown, closing = talker.rest()
        assert talker.code == closing["code"] == 1001
    assert (shutdown["type"], shutdown["reconnect_after_ms"]) == ("server.shutdown", closing["retry_after_ms"])
    assert closing["after"] == {job: "2"}
    assert 500 <= closing["retry_after_ms"] <= 3000
    world.publish(job, "c")
    world.start()
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job, after=closing["after"])
        assert talker.next()["id"] == "3"


def test_a_killed_process_is_missed_and_its_successor_goes_on(mortal_world: StreamWorld, alice: Somebody) -> None:
    world = mortal_world
    job = world.make_job(alice.user_id)
    world.publish(job, "a")
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job)
        assert talker.next()["id"] == "1"
        world.stop(signal.SIGKILL)
        assert talker.rest() == []
    world.publish(job, "b")
    world.start()
    with Talker(world.port, alice.token) as talker:
        talker.subscribe(job, after={job: "1"})
        assert talker.next()["id"] == "2"


def test_who_does_not_say_who_they_are_is_sent_away(mortal_world: StreamWorld) -> None:
    with Talker(mortal_world.port) as talker:
        assert talker.rest() == []
        assert talker.code == 4001
        assert "within 1 seconds" in (talker.reason or "")


def test_who_is_shut_out_is_denied(world: StreamWorld) -> None:
    with Talker(world.port) as talker:
        assert talker.ask("auth", token="disabled")["error"]["code"] == "ACCOUNT_DISABLED"
        assert (talker.rest(), talker.code) == ([], 4003)


def test_a_user_has_so_many_sockets_and_no_more(mortal_world: StreamWorld, alice: Somebody) -> None:
    port = mortal_world.port
    with Talker(port, alice.token) as first, Talker(port, alice.token), Talker(port, alice.token):
        with Talker(port) as fourth:
            assert fourth.ask("auth", token=alice.token)["error"]["code"] == "RATE_LIMIT_EXCEEDED"
            fourth.rest()
            assert fourth.code == 4004
        with Talker(port, Somebody().token) as stranger:
            assert stranger.ask("ping")["type"] == "pong"
        first.socket.close()
        with Talker(port, alice.token) as again:
            assert again.ask("ping")["type"] == "pong"


def test_the_process_counts_its_listeners(mortal_world: StreamWorld, alice: Somebody, topic: str) -> None:
    path = mortal_world.socket_path
    assert count_listeners(path) == {"sse": 0, "websocket": 0, "dropped": 0}
    with mortal_world.listen(topic), mortal_world.listen(topic), Talker(mortal_world.port, alice.token):
        assert count_listeners(path) == {"sse": 2, "websocket": 1, "dropped": 0}
    wait_for(lambda: count_listeners(path) == {"sse": 0, "websocket": 0, "dropped": 0})
    mortal_world.stop()
    with pytest.raises(HandoverFailed):
        count_listeners(path)


def test_what_a_socket_listened_to_is_given_back(world: StreamWorld, alice: Somebody) -> None:
    before = world.descriptors()
    for _ in range(3):
        talkers = [Talker(world.port, alice.token) for _ in range(10)]
        for talker in talkers:
            talker.subscribe(world.make_job(alice.user_id))
        for talker in talkers[::2]:
            talker.socket.close()
        for talker in talkers[1::2]:
            talker.socket.socket.close()
    wait_for(lambda: world.descriptors() <= before + 10)
