"""Servers that are asked to run a command and are slow, broken, hostile or no WebSockets at all."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.utils import accept_key

from app.clusters import Access
from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import (
    AnswerTooLarge,
    ClusterAway,
    ClusterRefused,
    Ended,
    NotKubernetes,
    RestCluster,
)
from tasks.clusters.gateways.kubernetes.execution import read_end
from tests.clusters.gateways.settings import LOOPBACK, SHORT
from tests.support.certificates import Authority
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.server import make_tls

AUTHORITY = Authority("kubernetes")
Say = Callable[[ssl.SSLSocket], None]


@contextmanager
def saying(say: Say, *, protocol: str = "v5.channel.k8s.io", shake: bool = True) -> Iterator[RestCluster]:
    """A server that shakes hands once and then says what it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with make_tls(AUTHORITY).wrap_socket(connection, server_side=True) as secured:
                head = secured.recv(65_536).decode()
                if shake:
                    secured.sendall(_agree(head, protocol))
                try:
                    say(secured)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        access = Access(f"https://127.0.0.1:{listening.getsockname()[1]}", ca=AUTHORITY.pem, token="t")
        yield RestCluster(access, rules=LOOPBACK, limits=SHORT)
    thread.join(5)


def _agree(head: str, protocol: str) -> bytes:
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
    told = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(key),
        "Sec-WebSocket-Protocol": protocol,
    }
    said = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 101 Switching Protocols\r\n{said}\r\n".encode()


def frame(data: bytes, opcode: int = 2, fin: bool = True, length: int | None = None) -> bytes:
    """A frame of a server."""
    size = len(data) if length is None else length
    head = bytes([(0x80 if fin else 0) | opcode])
    head += bytes([size]) if size < 126 else b"\x7f" + size.to_bytes(8, "big")
    return head + data


def outcome(cluster: RestCluster, seconds: float = 5.0) -> tuple[bytes, Ended | None]:
    """Run something to its end."""
    said = b""
    ends = time.monotonic() + seconds
    with cluster.execute("p", "default", ["true"], container="main") as execution:
        while execution.ended is None and time.monotonic() < ends:
            said += b"".join(data for _, data in execution.read(0.1))
        return said, execution.ended


def test_output_and_end_are_told_whatever_else_is_said() -> None:
    def say(wire: ssl.SSLSocket) -> None:
        wire.sendall(frame(b"") + frame(b"\x01") + frame(b"\x09nonsense") + frame(b"", opcode=9))
        wire.sendall(frame(b"\x01he", fin=False) + frame(b"llo", opcode=0) + frame(b'\x03{"status": "Success"}'))
        wire.recv(100)

    with saying(say) as cluster:
        assert outcome(cluster) == (b"hello", Ended(0))


def test_a_message_that_is_too_large_is_refused_unread() -> None:
    def say(wire: ssl.SSLSocket) -> None:
        wire.sendall(frame(b"", length=1 << 40))
        wire.recv(100)

    with saying(say) as cluster, pytest.raises(AnswerTooLarge):
        outcome(cluster)


def test_a_message_in_endless_pieces_is_refused() -> None:
    def say(wire: ssl.SSLSocket) -> None:
        wire.sendall(frame(b"\x01", fin=False))
        while True:
            wire.sendall(frame(b"x" * 60_000, opcode=0, fin=False))

    with saying(say) as cluster, pytest.raises(AnswerTooLarge):
        outcome(cluster)


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff\xff", b"<html>Hello</html>", frame(b"odd", opcode=3)])
def test_what_is_no_websocket_is_refused(nonsense: bytes) -> None:
    def say(wire: ssl.SSLSocket) -> None:
        wire.sendall(nonsense)
        wire.recv(100)

    with saying(say) as cluster, pytest.raises(NotKubernetes):
        outcome(cluster)


def test_a_protocol_that_nobody_asked_for_is_refused() -> None:
    with saying(lambda wire: None, protocol="v9.channel.k8s.io") as cluster, pytest.raises(NotKubernetes):
        outcome(cluster)


def test_a_handshake_that_drips_costs_the_first_bytes_deadline() -> None:
    def say(wire: ssl.SSLSocket) -> None:
        for _ in range(100):
            wire.sendall(b"H")
            time.sleep(0.05)

    began = time.monotonic()
    with saying(say, shake=False) as cluster, pytest.raises(ClusterAway, match="in time"):
        outcome(cluster)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("last", [b"", frame(b"\x03\xe8", opcode=8)])
def test_an_end_without_a_word_is_a_lost_connection(last: bytes) -> None:
    with saying(lambda wire: wire.sendall(frame(b"\x01x") + last)) as cluster, pytest.raises(ClusterAway):
        outcome(cluster)


def test_silence_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.gateways.websocket.SILENT_SECONDS", 0.5)
    monkeypatch.setattr("tasks.gateways.websocket.PING_SECONDS", 0.1)
    heard: list[bytes] = []

    def say(wire: ssl.SSLSocket) -> None:
        while data := wire.recv(100):
            heard.append(data)

    with saying(say) as cluster, pytest.raises(ClusterAway, match="silent"):
        outcome(cluster)
    assert heard[0][0] == 0x89


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b'{"status": "Success"}', Ended(0)),
        (b'{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}', Ended(7)),
        (b'{"status":"Failure","message":"no\\u001b such program"}', Ended(None, "no  such program")),
        (b'{"details": {"causes": [7, {"reason": "ExitCode", "message": "many"}]}}', None),
        (b'{"details": 7}', None),
    ],
)
def test_the_end_of_a_command_is_read_with_care(body: bytes, end: Ended | None) -> None:
    found = read_end(body)
    assert found.exit_code is None if end is None else found.exit_code == end.exit_code
    assert "\x1b" not in found.reason


def test_an_end_that_is_no_json_is_not_kubernetes() -> None:
    with pytest.raises(NotKubernetes):
        read_end(b"<html>")


def test_an_address_that_is_not_allowed_is_not_connected_to(server: ApiServer) -> None:
    cluster = RestCluster(server.access(), rules=AddressRules(), limits=SHORT)
    seen = len(server.seen)
    with pytest.raises(ClusterRefused):
        outcome(cluster)
    assert len(server.seen) == seen


def test_a_server_of_another_authority_is_not_trusted(server: ApiServer) -> None:
    access = Access(server.url, ca=Authority().pem, token=server.admin_token)
    with pytest.raises(ClusterRefused, match="certificate"):
        outcome(RestCluster(access, rules=LOOPBACK, limits=SHORT))
