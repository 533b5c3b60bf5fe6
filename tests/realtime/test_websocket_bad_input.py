"""What a WebSocket is told that says, or asks for, what it should not."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from app.kernel.handover import count_listeners
from tests.support.sse import SseClient
from tests.support.stream_world import StreamWorld, wait_for
from tests.support.websocket import Somebody, Talker

MEGABYTE = 1024 * 1024
SHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
    "Sec-WebSocket-Version": "13",
}


@pytest.fixture
def alice() -> Somebody:
    return Somebody()


def open_raw(port: int, **headers: str | None) -> tuple[socket.socket, bytes]:
    """Ask for an upgrade and return what was answered, to its empty line."""
    wanted = SHAKE | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in wanted.items() if value is not None]
    client = socket.create_connection(("127.0.0.1", port), timeout=15)
    client.sendall(f"GET /ws HTTP/1.1\r\nHost: test\r\n{''.join(lines)}\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    return client, head


def frame(opcode: Opcode, data: bytes, **flags: bool) -> bytes:
    """Return a frame as a client sends it."""
    return Frame(opcode, data, **flags).serialize(mask=True)


def known(port: int, somebody: Somebody) -> socket.socket:
    """Return a raw connection that has said who it is."""
    client, head = open_raw(port)
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    client.sendall(frame(Opcode.TEXT, json.dumps({"type": "auth", "token": somebody.token}).encode()))
    assert b'"success":true' in client.recv(4096)
    return client


def close_code(client: socket.socket) -> int:
    """Read to the end and return the code of the closing frame, which has no more than a reason behind it."""
    heard = b""
    while part := client.recv(65536):
        heard += part
    client.close()
    start = heard.rindex(b"\x88")
    return int.from_bytes(heard[start + 2 : start + 4], "big")


def test_an_upgrade_is_answered_as_the_standard_says(world: StreamWorld) -> None:
    client, head = open_raw(world.port, Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", X_Request_ID="r7")
    client.close()
    # The key and its answer are those of RFC 6455, section 1.3.
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert b"\r\nX-Request-ID: r7\r\n" in head
    assert b"Extensions" not in head


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Version": None}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": "not base64 at all!!!!!!!"}, 400),
    ],
)
def test_a_broken_handshake_is_a_plain_refusal(world: StreamWorld, headers: dict[str, Any], status: int) -> None:
    client, head = open_raw(world.port, **headers)
    client.close()
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    if status == 426:
        assert b"\r\nSec-WebSocket-Version: 13\r\n" in head
        assert b"\r\nUpgrade: websocket\r\n" in head


def test_a_browser_that_only_looks_is_told_to_upgrade(world: StreamWorld) -> None:
    with SseClient(world.port, "/ws") as client:
        assert (client.status, json.loads(client.body())["code"]) == (426, "UPGRADE_REQUIRED")


@pytest.mark.parametrize(
    ("token", "code"), [("junk", "TOKEN_INVALID"), ("expired", "TOKEN_EXPIRED"), ("[]", "TOKEN_INVALID")]
)
def test_a_token_that_does_not_let_in(world: StreamWorld, token: str, code: str) -> None:
    with Talker(world.port) as talker:
        answer = talker.ask("auth", token=token)
        assert (answer["type"], answer["success"], answer["error"]["code"]) == ("auth_result", False, code)
        assert talker.rest() == []
        assert talker.code == 4001


@pytest.mark.parametrize(
    "first", ['{"type":"subscribe","topics":["job:1"]}', "junk", "[]", '{"type":"auth"}', '{"type":"auth","token":5}']
)
def test_who_begins_with_anything_else_is_sent_away(world: StreamWorld, first: str) -> None:
    with Talker(world.port) as talker:
        talker.socket.send(first)
        assert talker.next()["success"] is False
        assert talker.rest() == []
        assert talker.code == 4001


def test_the_unknown_may_not_send_much(world: StreamWorld) -> None:
    client, _ = open_raw(world.port)
    client.sendall(frame(Opcode.TEXT, b"x" * 100_000))
    assert close_code(client) == 1009


JUNK = {
    "junk": "MALFORMED_REQUEST",
    "[]": "MALFORMED_REQUEST",
    "5": "MALFORMED_REQUEST",
    "": "MALFORMED_REQUEST",
    "{}": "MALFORMED_REQUEST",
    "[" * 5000: "MALFORMED_REQUEST",
    '{"type":"fly"}': "MALFORMED_REQUEST",
    '{"type":["ping"]}': "MALFORMED_REQUEST",
    '{"type":"subscribe"}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":[]}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":"job:1"}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":[{}]}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":["a"],"after":[]}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":["a"],"after":{"a":-1}}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":["a"],"after":{"a":1.5}}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":["a"],"after":{"a":true}}': "VALIDATION_ERROR",
    '{"type":"subscribe","topics":["a"],"after":{"a":"9999999999999999999"}}': "VALIDATION_ERROR",
    '{"type":"unsubscribe","topics":null}': "VALIDATION_ERROR",
    '{"type":"auth","token":"x"}': "INVALID_STATE",
    '{"type":"typing"}': "VALIDATION_ERROR",
    '{"type":"message","content":"hello"}': "INSUFFICIENT_PERMISSIONS",
}


def test_junk_is_answered_and_the_connection_lives(world: StreamWorld, alice: Somebody) -> None:
    with Talker(world.port, alice.token) as talker:
        answers = {}
        for text in JUNK:
            talker.socket.send(text)
            answer = talker.next()
            answers[text] = answer["error"]["code"]
            assert answer["error"]["message"]
        assert answers == JUNK
        assert talker.ask("ping")["type"] == "pong"


def test_what_is_not_ones_own_does_not_exist(world: StreamWorld, alice: Somebody) -> None:
    own, strange = world.make_job(alice.user_id), world.make_job(Somebody().user_id)
    elsewhere = world.make_job(organization_id=Somebody().organization_id)
    absent = "job:00000000-0000-7000-8000-000000000000"
    junk = ["job:1", "x", "", "log:" + own[4:], own.upper(), own + " ", "job:" + "1" * 5000, "job:%"]
    with Talker(world.port, alice.token) as talker:
        answer = talker.ask("subscribe", topics=[strange, own, elsewhere, absent, *junk])
        assert (answer["success"], answer["topics"]) == (False, [own])
        refused = {one["topic"]: one["error"] for one in answer["refused"]}
        assert set(refused) == {strange, elsewhere, absent, *junk}
        assert {error["code"] for error in refused.values()} == {"RESOURCE_NOT_FOUND"}
        # Nothing tells what exists from what does not.
        assert refused[strange] | {"details": {}} == refused[absent] | {"details": {}}
        world.publish(strange, "secret")
        world.publish(own, "a")
        assert talker.next()["topic"] == own


def test_a_hundred_topics_and_no_more(world: StreamWorld, alice: Somebody) -> None:
    topics = [world.make_job(alice.user_id) for _ in range(101)]
    with Talker(world.port, alice.token) as talker:
        answer = talker.ask("subscribe", topics=topics)
        assert (answer["type"], answer["error"]["code"]) == ("error", "QUOTA_EXCEEDED")
        talker.subscribe(*topics[:60])
        talker.subscribe(*topics[60:100])
        assert talker.ask("subscribe", topics=topics[100:])["error"]["code"] == "QUOTA_EXCEEDED"
        talker.subscribe(*topics[50:100])
        world.publish(topics[99], "a")
        assert talker.next()["topic"] == topics[99]


def test_a_message_of_a_megabyte_is_read_and_a_larger_one_ends_it(world: StreamWorld, alice: Somebody) -> None:
    with Talker(world.port, alice.token) as talker:
        talker.socket.send("x" * MEGABYTE)
        assert talker.next()["error"]["code"] == "MALFORMED_REQUEST"
        talker.socket.send("x" * (MEGABYTE + 1))
        assert talker.rest() == []
        assert talker.code == 1009


def test_a_message_may_come_in_parts_which_are_counted_together(world: StreamWorld, alice: Somebody) -> None:
    with Talker(world.port, alice.token) as talker:
        talker.socket.send(iter(['{"ty', 'pe":"pi', 'ng"}']))
        assert talker.next() == {"type": "pong"}
        talker.socket.send("x" * 300_000 for _ in range(4))
        assert talker.rest() == []
        assert talker.code == 1009


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(Opcode.BINARY, b"\x00\x01"), 1003),
        (Frame(Opcode.TEXT, b'{"type":"ping"}').serialize(mask=False), 1002),
        (frame(Opcode.TEXT, b"\xff\xfe"), 1007),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),
        (frame(Opcode.CONT, b"x"), 1002),
        (b"\x89\xfe\x00\x7e\x00\x00\x00\x00" + b"x" * 126, 1002),
        (b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", 1002),
    ],
    ids=["binary", "unmasked", "not-utf8", "unknown-opcode", "reserved-bit", "no-begin", "long-ping", "http"],
)
def test_who_breaks_the_protocol_is_told_how(world: StreamWorld, alice: Somebody, sent: bytes, code: int) -> None:
    client = known(world.port, alice)
    client.sendall(sent)
    assert close_code(client) == code


def test_a_flood_of_messages_ends_the_connection(world: StreamWorld, alice: Somebody) -> None:
    client = known(world.port, alice)
    client.sendall(frame(Opcode.PING, b"") * 2000)
    assert close_code(client) == 4004


def test_a_client_that_closes_is_answered(world: StreamWorld, alice: Somebody) -> None:
    client = known(world.port, alice)
    client.sendall(frame(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"bye"))
    assert close_code(client) == 1000


def test_one_that_answers_no_ping_is_not_there_any_more(world: StreamWorld, alice: Somebody) -> None:
    client = known(world.port, alice)
    began = time.monotonic()
    heard = b""
    while part := client.recv(4096):
        heard += part
    client.close()
    # Five beats of silence, which are a second each in these tests.
    assert 4 < time.monotonic() - began < 10
    assert heard.count(b"\x89\x00") >= 2


def test_half_a_frame_costs_nothing_after_its_sender_is_gone(world: StreamWorld, alice: Somebody) -> None:
    before = world.descriptors()
    for sent in (b"\x81", frame(Opcode.TEXT, os.urandom(500))[:200], b"\x81\xff" + (MEGABYTE).to_bytes(8, "big")):
        client = known(world.port, alice)
        client.sendall(sent)
        client.close()
    wait_for(lambda: world.descriptors() <= before)


def test_a_reader_that_does_not_read_is_let_go_and_costs_no_memory(world: StreamWorld, alice: Somebody) -> None:
    job = world.make_job(alice.user_id)
    client = known(world.port, alice)
    client.sendall(frame(Opcode.TEXT, json.dumps({"type": "subscribe", "topics": [job]}).encode()))
    assert b"subscribe_result" in client.recv(4096)
    with Talker(world.port, alice.token) as quick:
        quick.subscribe(job)
        memory, dropped = world.memory(), count_listeners(world.socket_path)["dropped"]
        for _ in range(40):
            world.publish(job, *["step"] * 20, text="x" * 20_000)
            assert len(quick.take(20)) == 20
        assert world.memory() - memory < 20e6
        wait_for(lambda: count_listeners(world.socket_path)["dropped"] > dropped)
        heard = b""
        while part := client.recv(1 << 20):
            heard += part
        client.close()
    # Who reads again in time finds, behind the last event, where to resume.
    resume = json.loads(heard[heard.rindex(b'{"type":"closing"') : heard.rindex(b"}") + 1])
    assert (resume["code"], list(resume["after"])) == (1013, [job])
    last = heard.count(b'"type":"step"')
    assert resume["after"][job] == str(last)
    with Talker(world.port, alice.token) as again:
        again.subscribe(job, after=resume["after"])
        assert again.next()["id"] == str(last + 1)
