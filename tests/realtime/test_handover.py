"""Handing over: who may come in, what is refused, and what a broken visitor leaves behind."""

from __future__ import annotations

import socket
import stat
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.http.streams import hand_over
from app.kernel.errors import Invalid, Unavailable
from app.kernel.handover import ROOM, Handover, HandoverFailed, StreamRequest, ping
from tests.support.stream_world import StreamWorld, wait_for

REQUEST = StreamRequest("events", ("job:1", "execution:1", "job:1"))


def test_a_request_survives_its_message() -> None:
    full = replace(REQUEST, ends_on=("a", "b"), user_id="u", headers=(("X-Request-ID", "r"), ("Vary", "é")))
    assert StreamRequest.from_json(full.to_json()) == full


def test_the_topics_of_a_compound_id_are_in_one_order() -> None:
    request = replace(REQUEST, last_event_id="12.7").normalized()
    assert request.topics == ("execution:1", "job:1")
    assert request.position() == (12, 7)
    assert replace(request, last_event_id="").position() is None


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b"null", b'{"topics": 1}', b'{"headers": [1]}'])
def test_a_message_that_is_no_request_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        StreamRequest.from_json(message)


def test_only_its_owner_may_enter_the_socket(world: StreamWorld) -> None:
    assert stat.S_IMODE(world.socket_path.stat().st_mode) == 0o600


def test_a_visitor_who_brings_nonsense_harms_nobody(world: StreamWorld, topic: str) -> None:
    before = world.descriptors_at_rest()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in (b"", b"{", b"x" * 200_000, REQUEST.to_json(), replace(REQUEST, user_id="junk").to_json()):
            visit(world.socket_path, message, theirs)
        visit(world.socket_path, REQUEST.to_json(), None)
        theirs.close()
        ours.settimeout(10)
        # The one message that was a request was served, or rather its Unix socket was.
        assert ours.recv(15) == b"HTTP/1.1 200 OK"
    wait_for(lambda: world.descriptors() <= before + 10)
    world.publish(topic, "a")
    with world.listen(topic) as client:
        assert client.next().id == "1"


def visit(path: Path, message: bytes, passed: socket.socket | None) -> None:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(path))
        assert channel.recv(1) == ROOM
        try:
            if passed is not None and message:
                sent = socket.send_fds(channel, [message], [passed.fileno()])
                channel.sendall(message[sent:])
            else:
                channel.sendall(message)
        except ConnectionError:
            assert len(message) > 100_000


def test_a_place_that_is_not_used_is_given_back(world: StreamWorld) -> None:
    before = world.descriptors_at_rest()
    with ExitStack() as places:
        for _ in range(20):
            places.callback(Handover(world.socket_path).close)
        wait_for(lambda: world.descriptors() >= before + 20)
    wait_for(lambda: world.descriptors() <= before + 10)


def test_nobody_answers_where_no_stream_process_is(tmp_path: Path) -> None:
    assert not ping(tmp_path / "nothing.sock")
    with pytest.raises(HandoverFailed):
        Handover(tmp_path / "nothing.sock")
    assert not ping(tmp_path / ("long" * 40))


def test_a_server_that_cannot_hand_over_says_that_streams_are_away(tmp_path: Path) -> None:
    with Flask(__name__).test_request_context("/"), pytest.raises(Unavailable):
        hand_over(REQUEST, tmp_path / "stream.sock")


def test_a_junk_id_is_refused_whether_streams_are_there_or_not(tmp_path: Path) -> None:
    context = Flask(__name__).test_request_context("/", headers={"Last-Event-ID": "x"})
    with context, pytest.raises(Invalid) as refused:
        hand_over(REQUEST, tmp_path / "stream.sock")
    assert [fault.field for fault in refused.value.errors] == ["Last-Event-ID"]
