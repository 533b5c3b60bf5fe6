"""The API server's HTTP: reads requests, sends answers and streams, and fails as it is told to."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.kubernetes.api import Api
from tests.support.kubernetes.executing import Exec
from tests.support.kubernetes.faults import Fault, Faults
from tests.support.kubernetes.kubelet import Kubelet
from tests.support.kubernetes.logs import Logs
from tests.support.kubernetes.requests import Request, split_target
from tests.support.kubernetes.rights import User
from tests.support.kubernetes.statuses import ApiError, bad_request, not_found
from tests.support.kubernetes.store import Key
from tests.support.kubernetes.watching import watch

LONGEST_HOLD = 60.0
_PIECE = 1 << 20


@dataclass
class Site:
    """One API server behind a socket. `problems` are its own mistakes, which are answered with 500. Without a `kubelet`
    pods only seem to run."""

    api: Api
    kubelet: Kubelet | None = None
    faults: Faults = field(default_factory=Faults)
    logs: Logs = field(default_factory=Logs)
    seen: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    bookmark_seconds: float = 60.0


class Web(ThreadingHTTPServer):
    """One listening socket; a thread for each connection. Sites are told apart by their path: `/clusters/<name>`, or
    none for the site without a name."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, sites: Mapping[str, Site], tls: ssl.SSLContext) -> None:
        self.sites, self.tls = sites, tls
        self.stopping = threading.Event()
        self.clients: list[tuple[str, int]] = []
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    def start(self) -> threading.Thread:
        """Serve in a thread until `end`."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="api-server", daemon=True)
        thread.start()
        return thread

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the TLS handshake waits for the connection's own thread."""
        connection, address = super().get_request()
        connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        self.clients.append(address)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away as they like."""

    def site_of(self, target: str) -> tuple[Site, str]:
        """Return the site that a request is for, and its target there."""
        if target.startswith("/clusters/"):
            _, _, name, rest = target.split("/", 3)
            return self.sites[name], f"/{rest}"
        return self.sites[""], target

    def end(self) -> None:
        """Stop listening and end all connections."""
        self.stopping.set()
        for site in self.sites.values():
            site.faults.clear()
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
    site: Site

    def handle_any(self) -> None:
        """Answer one request."""
        self.site, target = self.server.site_of(self.path)
        self.site.seen.append(f"{self.command} {target}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.site.faults.take(self.command, target)
        if fault is not None and self._fail(fault):
            return
        try:
            self._answer(self._read_request(target, body), fault)
        except ApiError as error:
            self._send(error.code, error.status())
        except OSError:
            raise
        except Exception:  # noqa: BLE001  # a mistake of the server's own, for `stop` to tell
            self.site.problems.append(traceback.format_exc())
            self._send(500, ApiError(500, "InternalError", "the test server failed").status())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def _read_request(self, target: str, body: bytes) -> Request:
        path, query = split_target(target)
        media_type = (self.headers.get("Content-Type") or "").split(";")[0]
        agent = self.headers.get("User-Agent") or "unknown"
        return Request(self.command, path, query, media_type, agent, body, self._find_user())

    def _find_user(self) -> User:
        header = self.headers.get("Authorization")
        shown = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        if header is None and shown:
            subject = [pair for parts in shown.get("subject", ()) for pair in parts]  # type: ignore[union-attr]
            names = [str(value) for name, value in subject if name == "commonName"]
            groups = tuple(str(value) for name, value in subject if name == "organizationName")
            return User(names[0], (*groups, "system:authenticated"))
        with self.site.api.store.lock:
            return self.site.api.tokens.find(header)

    def _answer(self, request: Request, fault: Fault | None) -> None:
        if request.method == "GET" and request.path.endswith("/log"):
            self._check_rights(request)
            namespace, pod = request.path.split("/")[4], request.path.split("/")[6]
            self._stream(self._log(namespace, pod, request), None)
        elif request.method == "GET" and request.path.endswith("/exec"):
            self._execute(self._check_rights(request), request)
        elif request.method == "GET" and request.query.get("watch") in ("true", "1"):
            target = self._check_rights(request)
            seconds = self.site.bookmark_seconds
            lines = watch(self.site.api.store, target, request, self.server.stopping.is_set, seconds)
            self._stream(lines, fault)
        else:
            self._send(*self.site.api.answer(request))

    def _log(self, namespace: str, pod: str, request: Request) -> Iterator[bytes]:
        kubelet, container = self.site.kubelet, request.query.get("container", "")
        found = kubelet.find(namespace, pod, container) if kubelet else None
        if found is None:
            return self.site.logs.read(namespace, pod, request.query, self.server.stopping.is_set)
        lines = bytes(found.log).splitlines(keepends=True)
        return iter(lines[-int(request.query.get("tailLines") or len(lines) or 1) :])

    def _execute(self, target: Any, request: Request) -> None:
        with self.site.api.store.lock:
            pod = self.site.api.store.get(Key("pods.", target.namespace, target.name))
        command = [value for name, value in parse_qsl(urlsplit(self.path).query) if name == "command"]
        container = request.query.get("container", "")
        if pod is None:
            raise not_found("pods", target.name)
        if container not in {one["name"] for one in pod["spec"]["containers"]}:
            raise bad_request(f"container {container} is not valid for pod {target.name}")
        if not pod["spec"].get("nodeName"):
            raise bad_request(f"pod {target.name} does not have a host assigned")
        kubelet = self.site.kubelet
        if kubelet is None:
            raise ApiError(500, "InternalError", "error dialing backend: there is no kubelet")
        self.close_connection = True
        self.connection.settimeout(30)
        session = Exec(self.connection)
        session.accept(self.path, self.headers.items())
        found = kubelet.find(target.namespace, target.name, container)
        try:
            if found is None:
                raise FileNotFoundError(container)
            process = kubelet.execute(found, command)
        except FileNotFoundError:
            session.fail(f'container not found ("{container}")')
            return
        session.run(process, self.server.stopping.is_set)

    def _check_rights(self, request: Request) -> Any:
        with self.site.api.store.lock:
            return self.site.api.target_of(request)

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
                self.site.faults.released.wait(fault.seconds)
                return False
            case "black hole":
                self.site.faults.released.wait(LONGEST_HOLD)
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
            if self.site.faults.released.wait(fault.seconds) or time.monotonic() > ends:
                break
        self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
