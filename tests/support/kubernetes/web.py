"""The API server's HTTP: reads requests, sends answers and streams, and fails as it is told to."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.kubernetes.api import Api
from tests.support.kubernetes.faults import Fault, Faults
from tests.support.kubernetes.logs import Logs
from tests.support.kubernetes.requests import Request, split_target
from tests.support.kubernetes.rights import User
from tests.support.kubernetes.statuses import ApiError
from tests.support.kubernetes.watching import watch

LONGEST_HOLD = 60.0
_PIECE = 1 << 20


class Web(ThreadingHTTPServer):
    """One listening socket; a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, api: Api, faults: Faults, logs: Logs, tls: ssl.SSLContext | None) -> None:
        self.api, self.faults, self.logs, self.tls = api, faults, logs, tls
        self.stopping = threading.Event()
        self.bookmark_seconds = 60.0
        self.seen: list[str] = []
        self.clients: list[tuple[str, int]] = []
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the TLS handshake waits for the connection's own thread."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        self.clients.append(address)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away as they like; what the server itself does wrong is answered with 500."""

    def end(self) -> None:
        """Stop listening and end all connections."""
        self.stopping.set()
        self.faults.clear()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = _PIECE
    server: Web

    def handle_any(self) -> None:
        """Answer one request."""
        path, query = split_target(self.path)
        self.server.seen.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.faults.take(self.command, self.path)
        if fault is not None and self._fail(fault):
            return
        try:
            request = Request(self.command, path, query, self._media_type(), self._agent(), body, self._find_user())
            self._answer(request, fault)
        except ApiError as error:
            self._send(error.code, error.status())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def _media_type(self) -> str:
        return (self.headers.get("Content-Type") or "").split(";")[0]

    def _agent(self) -> str:
        return self.headers.get("User-Agent") or "unknown"

    def _find_user(self) -> User:
        header = self.headers.get("Authorization")
        shown = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        if header is None and shown:
            subject = [pair for parts in shown.get("subject", ()) for pair in parts]  # type: ignore[union-attr]
            names = [str(value) for name, value in subject if name == "commonName"]
            groups = tuple(str(value) for name, value in subject if name == "organizationName")
            return User(names[0], (*groups, "system:authenticated"))
        with self.server.api.store.lock:
            return self.server.api.tokens.find(header)

    def _answer(self, request: Request, fault: Fault | None) -> None:
        if request.method == "GET" and request.path.endswith("/log"):
            self._check_rights(request)
            namespace, pod = request.path.split("/")[4], request.path.split("/")[6]
            self._stream(self.server.logs.read(namespace, pod, request.query, self.server.stopping.is_set), None)
        elif request.method == "GET" and request.query.get("watch") in ("true", "1"):
            target = self._check_rights(request)
            seconds = self.server.bookmark_seconds
            lines = watch(self.server.api.store, target, request, self.server.stopping.is_set, seconds)
            self._stream(lines, fault)
        else:
            self._send(*self.server.api.answer(request))

    def _check_rights(self, request: Request) -> Any:
        with self.server.api.store.lock:
            return self.server.api.target_of(request)

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _stream(self, pieces: Iterator[bytes], fault: Fault | None) -> None:
        left = fault.events if fault is not None and fault.deed == "drop watch" else None
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for piece in pieces:
            if left == 0:
                self._hang_up()
                return
            left = None if left is None else left - 1
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, fault: Fault) -> bool:
        """Do what a fault says; return whether that was all."""
        match fault.deed:
            case "delay":
                self.server.faults.released.wait(fault.seconds)
                return False
            case "black hole":
                self.server.faults.released.wait(LONGEST_HOLD)
                self._hang_up()
            case "drip":
                self._drip(fault)
            case "answer":
                self._send_fault(fault)
            case _:
                return False
        return True

    def _send_fault(self, fault: Fault) -> None:
        self.send_response(fault.status)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(fault.body) * fault.copies))
        self.end_headers()
        for _ in range(fault.copies):
            self.wfile.write(fault.body)

    def _drip(self, fault: Fault) -> None:
        ends = time.monotonic() + LONGEST_HOLD
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 1000:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.faults.released.wait(fault.seconds) or time.monotonic() > ends:
                break
        self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
