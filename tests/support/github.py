"""GitHub's logins, as far as its documents describe them: a code for a token, and the API that says whose it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass
class GitHubSite:
    """The site: `user` and `emails` are what its API tells; `asked` are the requests for tokens."""

    url: str = ""
    user: dict[str, Any] = field(default_factory=lambda: {"id": 583231, "login": "octocat", "email": None})
    emails: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"email": "old@example.com", "primary": False, "verified": True},
            {"email": "octocat@example.com", "primary": True, "verified": True},
        ]
    )
    asked: list[dict[str, str]] = field(default_factory=list)
    status: int = 200

    def answer(self, path: str, authorization: str) -> tuple[int, Any]:
        """Return status and JSON of a GET of the API."""
        if authorization != "Bearer gho_token":
            return 401, {"message": "Bad credentials"}
        return self.status, {"/api/v3/user": self.user, "/api/v3/user/emails": self.emails}[path]


@contextmanager
def github_site() -> Iterator[GitHubSite]:
    """Run the site."""
    site = GitHubSite()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*site.answer(self.path, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            site.asked.append({name: values[0] for name, values in body.items()})
            good = {"access_token": "gho_token", "token_type": "bearer", "scope": "read:user,user:email"}
            # GitHub answers 200 also for a code it does not know.
            self._send(200, good if body.get("code") == ["good"] else {"error": "bad_verification_code"})

        def log_message(self, *_: Any) -> None:
            pass

        def _send(self, status: int, data: Any) -> None:
            text = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
