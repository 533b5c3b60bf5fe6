"""Receivers that are slow, endless, elsewhere, or not what they seem: a request ends in time and keeps little."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.webhooks import Answer, Destinations, Order
from tasks.webhooks.gateways import Receivers
from tests.support.receivers import receiving

HERE = Destinations.of(allow_private=True, ports="")
PUBLIC = Destinations.of(allow_private=False, ports="80,443,9000-9999")

Talk = Callable[[socket.socket], None]


@contextmanager
def speaking(talk: Talk) -> Iterator[str]:
    """A server that talks so to each of its connections, one after the other; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with suppress(OSError), listening.accept()[0] as connection:
                        talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook?a=b"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def order_for(url: str, **headers: str) -> Order:
    return Order(new_id(), 1, new_id(), new_id(), False, url, b"{}", (b"k" * 32,), headers)


def send(url: str, *, timeout: float = 30.0, destinations: Destinations = HERE) -> tuple[Answer, float]:
    receivers = Receivers(destinations, timeout)
    began = time.monotonic()
    try:
        return receivers.send(order_for(url)), time.monotonic() - began
    finally:
        receivers.close()


def drip(first: bytes, pause: float = 0.1) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(first)
        for _ in range(100):
            time.sleep(pause)
            connection.sendall(b"x")

    return talk


def test_a_receiver_that_never_answers_costs_its_time_and_no_more() -> None:
    with speaking(lambda connection: time.sleep(30)) as url:
        answer, seconds = send(url, timeout=1.0)
    assert (answer.code, answer.status) == ("SERVER_TOO_SLOW", None)
    assert seconds < 15


def test_a_head_that_drips_ends_in_time() -> None:
    with speaking(drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", 0.2)) as url:
        answer, seconds = send(url, timeout=1.0)
    assert answer.code == "SERVER_TOO_SLOW"
    assert seconds < 15


def test_a_body_that_drips_is_not_waited_for_and_the_status_counts() -> None:
    with speaking(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhello", 0.2)) as url:
        answer, seconds = send(url, timeout=2.0)
    assert (answer.is_success, answer.is_truncated) == (True, True)
    assert answer.body.startswith("hello")
    assert seconds < 15


def test_of_an_endless_answer_the_beginning_is_kept() -> None:
    sent = [0]

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)
            sent[0] += 65536

    with speaking(talk) as url:
        answer, _ = send(url)
    assert (answer.is_success, len(answer.body), answer.is_truncated) == (True, 16 * 1024, True)
    assert sent[0] < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "said",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"],
)
def test_what_is_not_http_is_a_failure(said: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)

    with speaking(talk) as url:
        answer, _ = send(url)
    assert answer.status is None
    assert answer.code in ("ANSWER_UNREADABLE", "SERVER_UNREACHABLE")


def test_an_answer_that_is_no_text_is_kept_as_far_as_it_is() -> None:
    with receiving() as receiver:
        receiver.answer = lambda *_: (200, {"X-Odd": "a" * 3000}, b"a\x00b\xff\xfe")
        answer, _ = send(receiver.url)
    assert answer.body == "a\ufffdb\ufffd\ufffd"
    assert len(answer.headers["x-odd"]) == 1000


@pytest.mark.parametrize(
    ("url", "destinations"),
    [
        ("http://169.254.169.254/latest", HERE),
        ("http://[::ffff:169.254.169.254]/", HERE),
        ("https://[::ffff:127.0.0.1]/", PUBLIC),
        ("https://[64:ff9b::7f00:1]/", PUBLIC),
        ("https://[64:ff9b:1::1]/", HERE),
        ("https://127.0.0.1/", PUBLIC),
        ("https://10.0.0.1/", PUBLIC),
        ("https://8.8.8.8:22/", PUBLIC),
        ("http://8.8.8.8/", PUBLIC),
    ],
)
def test_where_it_must_not_go_it_does_not_go(url: str, destinations: Destinations) -> None:
    answer, seconds = send(url, destinations=destinations)
    assert answer.code == "DESTINATION_REFUSED"
    assert seconds < 5


def test_a_name_with_good_and_bad_addresses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [(0, 0, 0, "", (address, 443)) for address in ("8.8.8.8", "169.254.169.254")]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers)
    answer, _ = send("https://mixed.example/", destinations=PUBLIC)
    assert answer.code == "DESTINATION_REFUSED"


def test_a_name_that_leads_elsewhere_meanwhile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was looked up is the one that is connected to; nothing asks a second time."""
    asked: list[str] = []

    def lead(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(0, 0, 0, "", ("127.0.0.1", 443))]

    monkeypatch.setattr("socket.getaddrinfo", lead)
    answer, _ = send("https://rebound.example/", destinations=PUBLIC)
    assert answer.code == "DESTINATION_REFUSED"
    assert asked == ["rebound.example"]


def test_a_connection_is_kept_for_the_next_event() -> None:
    connections: list[int] = []

    def talk(connection: socket.socket) -> None:
        connections.append(1)
        for _ in range(2):
            heard = b""
            while not heard.endswith(b"\r\n\r\n{}"):
                heard += connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with speaking(talk) as url:
        receivers = Receivers(HERE, 30.0)
        order = order_for(url)
        assert [receivers.send(order).status for _ in range(2)] == [200, 200]
        receivers.close()
    assert len(connections) == 1


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("120", 120, 120),
        ("junk", None, None),
        ("-5", None, None),
        ("99999999999999", 1e8, 1e9),
        ("", None, None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None, None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None, None),
    ],
)
def test_retry_after_is_read_as_it_may_be_written(said: str, least: float | None, most: float | None) -> None:
    with receiving() as receiver:
        receiver.answer = lambda *_: (429, {"Retry-After": said}, b"")
        answer, _ = send(receiver.url)
    if least is None or most is None:
        assert answer.retry_after is None
    else:
        assert answer.retry_after is not None
        assert least <= answer.retry_after <= most


def test_of_a_header_with_a_long_name_the_beginning_is_kept() -> None:
    with receiving() as receiver:
        receiver.answer = lambda *_: (200, {"X" * 5000: "y" * 5000}, b"")
        answer, _ = send(receiver.url)
    assert answer.headers["x" * 1000] == "y" * 1000


def test_retry_after_may_be_a_date() -> None:
    with receiving() as receiver:
        moment = utc_now() + timedelta(seconds=100)
        receiver.answer = lambda *_: (503, {"Retry-After": format_datetime(moment, usegmt=True)}, b"")
        answer, _ = send(receiver.url)
    assert answer.retry_after is not None
    assert 90 < answer.retry_after <= 100
