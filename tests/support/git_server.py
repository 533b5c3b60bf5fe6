"""A git server on loopback: the repositories of a folder by `git http-backend`, and the ways in which it may fail."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

LONGEST_HOLD = 30


@dataclass
class GitServer:
    """Serves `<root>/<name>` as `http://127.0.0.1:<port>/<name>`; change the fields while it runs."""

    root: Path
    login: tuple[str, str] | None = None
    status: int | None = None
    redirect: str | None = None
    speaks_version_2: bool = True
    speaks_smart: bool = True
    holds: threading.Event | None = None
    port: int = 0
    seen: list[str] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        """The address of a repository."""
        return f"http://{host}:{self.port}/{name}"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        self.seen.append(f"{request.method} {request.full_path}")
        if self.redirect is not None:
            return Response(status=301, headers={"Location": self.redirect + request.full_path})
        if self.login is not None and request.headers.get("Authorization") != _basic(self.login):
            return Response(status=401, headers={"WWW-Authenticate": 'Basic realm="repositories"'})
        self.reached.set()
        if self.holds is not None:
            self.holds.wait(LONGEST_HOLD)
        if self.status is not None:
            return Response(status=self.status)
        return self._run_backend(request) if self.speaks_smart else self._send_file(request)

    def _run_backend(self, request: Request) -> Response:
        variables = {
            "PATH": os.defpath,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string.decode(),
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", "") if self.speaks_version_2 else "",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        ended = subprocess.run(
            ["git", "http-backend"], env=variables, input=request.get_data(), capture_output=True, check=False
        )
        head, _, body = ended.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return Response(body, status=headers.pop("Status", "200 OK"), headers=headers)

    def _send_file(self, request: Request) -> Response:
        path = self.root / request.path.lstrip("/")
        return Response(path.read_bytes()) if path.is_file() else Response(status=404)


@contextmanager
def serving(server: GitServer) -> Iterator[GitServer]:
    """Run it in a thread while the block runs."""
    http = make_server("127.0.0.1", 0, server, threaded=True)
    server.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.holds is not None:
            server.holds.set()
        http.shutdown()
        http.server_close()
        thread.join()


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()
