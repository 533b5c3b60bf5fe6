"""A server that speaks the Docker Engine API as it is documented, as far as Headrace uses it, over a Unix socket.

It is no Docker: images are names, networks lead nowhere, and containers are processes in namespaces. Real engines run
the same tests where they are installed. Its fields can be changed while it runs, to make it fail.
"""

from __future__ import annotations

import contextlib
import json
import re
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tasks.pipelines.gateways.sandbox.cgroups import ControlGroups
from tests.support.containers.docker_calls import DockerApi
from tests.support.containers.fake_container import FakeContainer

__all__ = ["DockerApi", "serving"]


def frame(data: bytes, number: int = 1) -> bytes:
    """Return data as attach and logs send it."""
    return bytes((number, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: DockerApi

    def address_string(self) -> str:
        return "test"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^/v[0-9.]+", "", parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null") if length else None
        self.api.asked.append((self.command, path))
        for pattern, seconds in self.api.slow.items():
            if re.search(pattern, f"{self.command} {path}"):
                time.sleep(seconds)
        for pattern, (status, message) in self.api.failing.items():
            if re.search(pattern, f"{self.command} {path}"):
                self._send(status, {"message": message})
                return
        try:
            self._act(path, query, body)
        except KeyError as error:
            self._send(404, {"message": f"No such container: {error}"})

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

    def _act(self, path: str, query: dict[str, str], body: Any) -> None:
        if match := re.fullmatch("/containers/([^/]+)/attach", path):
            self._attach(self.api.find(match[1]))
        elif match := re.fullmatch("/containers/([^/]+)/logs", path):
            self._stream([frame(bytes(self.api.find(match[1]).log))])
        elif match := re.fullmatch("/exec/([^/]+)/start", path):
            self._execute(match[1])
        elif path == "/images/create":
            self._stream(json.dumps(line).encode() + b"\r\n" for line in self.api.pull(query["fromImage"]))
        else:
            self._send(*self.api.answer(self.command, path, query, body))

    def _attach(self, container: FakeContainer) -> None:
        head = "Content-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp"
        container.attach(self.connection)
        self.connection.sendall(f"HTTP/1.1 101 UPGRADED\r\n{head}\r\n\r\n".encode())
        while not container.ended.wait(0.2) and container.id in self.api.containers:
            pass
        self.close_connection = True

    def _execute(self, key: str) -> None:
        container, command, _ = self.api.executions[key]
        code, said = container.run(command)
        self.api.executions[key] = (container, command, code)
        self._stream([frame(said)])

    def _stream(self, pieces: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()
        self.close_connection = True

    def _send(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    faults: list[str]

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is no error."""
        if not isinstance(sys.exception(), BrokenPipeError | ConnectionResetError):
            self.faults.append(traceback.format_exc())


@contextmanager
def serving(folder: Path, groups: ControlGroups | None = None, **fields: Any) -> Iterator[DockerApi]:
    """Run an engine while the block runs; its socket lies in `folder`."""
    folder.chmod(0o711)  # steps become another user
    api = DockerApi(folder, groups, **fields)
    server = _Server(str(folder / "engine.sock"), type("Handler", (_Handler,), {"api": api}))
    server.faults = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.stop()
        server.shutdown()
        server.server_close()
        thread.join()
    assert not server.faults, server.faults
