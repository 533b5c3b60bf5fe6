"""Outgoing HTTP against servers that speak it badly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from app.kernel.addresses import AddressRules
from tasks.gateways import (
    AnswerTooLarge,
    AnswerUnreadable,
    DestinationRefused,
    HttpClient,
    Reply,
    Timeouts,
    TooSlow,
    Unreachable,
)

LOOPBACK = AddressRules(allow_loopback=True)
SHORT = Timeouts(connect=1.0, first_byte=1.0, idle=0.5, whole=1.5)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

Talk = Callable[[socket.socket], None]


@contextmanager
def speaking(talk: Talk, times: int = 1) -> Iterator[str]:
    """A server that talks so to each of its connections; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(times):
                with suppress(OSError), listening.accept()[0] as connection:
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def saying(*pieces: bytes, pause: float = 0.0) -> Talk:
    """Read a request, then send the pieces."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return talk


def ask(url: str, max_bytes: int = 1000, rules: AddressRules = LOOPBACK) -> Reply:
    client = HttpClient(url, rules=rules, timeouts=SHORT)
    try:
        return client.request("GET", "/x", max_bytes=max_bytes)
    finally:
        client.close()


def test_an_answer_is_read_whole() -> None:
    with speaking(saying(OK[:10], OK[10:])) as url:
        reply = ask(url)
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "2", b"hi")


def test_a_chunked_answer_is_read() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\n you\r\n0\r\n\r\n".replace(
        b"3", b"4"
    )
    with speaking(saying(chunked)) as url:
        assert ask(url).body == b"hi you"


def test_the_request_says_what_it_is_and_asks_for_no_compression() -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(OK)

    with speaking(talk) as url:
        ask(f"{url}/prefix/")
    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /prefix/x HTTP/1.1"
    assert "Accept-Encoding: identity" in lines
    assert "User-Agent: headrace" in lines


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n",
    ],
)
def test_what_is_not_http_is_said_to_be_unreadable(answer: bytes) -> None:
    with speaking(saying(answer)) as url, pytest.raises((AnswerUnreadable, Unreachable)):
        ask(url)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
    ],
)
def test_an_answer_that_ends_early_was_lost(answer: bytes) -> None:
    with speaking(saying(answer)) as url, pytest.raises(Unreachable):
        ask(url)


def test_an_answer_that_says_it_is_too_large_is_not_read() -> None:
    with speaking(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")) as url, pytest.raises(AnswerTooLarge):
        ask(url)


def test_an_answer_without_a_length_is_read_up_to_the_limit() -> None:
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5000
    with speaking(saying(endless)) as url, pytest.raises(AnswerTooLarge):
        ask(url)


def test_a_body_that_drips_ends_at_the_deadline_for_all_of_it() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"
    began = time.monotonic()
    with speaking(saying(head, *[b"x"] * 20, pause=0.2)) as url, pytest.raises(TooSlow):
        ask(url)
    assert time.monotonic() - began < 8


def test_a_body_that_stops_ends_at_the_deadline_for_a_piece() -> None:
    began = time.monotonic()
    with speaking(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", pause=2.0)) as url, pytest.raises(TooSlow):
        ask(url)
    assert time.monotonic() - began < 5


def test_a_connection_is_kept_and_replaced_when_the_server_ends_it() -> None:
    with speaking(saying(OK), times=2) as url:
        client = HttpClient(url, rules=LOOPBACK, timeouts=SHORT)
        assert client.request("GET", "/", max_bytes=10).body == b"hi"
        time.sleep(0.05)
        assert client.request("POST", "/", body=b"{}", max_bytes=10).body == b"hi"
        client.close()


def test_the_rules_are_asked_before_the_connection() -> None:
    with pytest.raises(DestinationRefused, match="on this machine"):
        ask("http://127.0.0.1:9", rules=AddressRules())
    with pytest.raises(DestinationRefused, match="link-local"):
        ask("http://169.254.169.254")


def test_a_name_with_one_address_that_is_not_allowed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(0, 0, 0, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(DestinationRefused, match="private network"):
        ask("http://mixed.example", rules=AddressRules())


def test_a_name_server_that_is_away_costs_the_deadline_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: released.wait(20) and [])
    began = time.monotonic()
    with pytest.raises(TooSlow):
        ask("http://slow.example", rules=AddressRules())
    released.set()
    assert time.monotonic() - began < 4


def test_a_name_that_leads_nowhere_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [])
    with pytest.raises(Unreachable, match="cannot be found"):
        ask("http://nowhere.example", rules=AddressRules())


def test_an_answer_is_streamed_line_by_line() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with speaking(saying(head, b"one\ntw", b"o\n\nthr", b"ee", pause=0.02)) as url:
        client = HttpClient(url, rules=LOOPBACK, timeouts=SHORT)
        with client.stream("GET", "/") as answer:
            assert list(answer.lines(100)) == [b"one", b"two", b"", b"three"]
        client.close()
