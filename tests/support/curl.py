"""curl as a user has it: a process of its own, whose output is taken apart here."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from tests.support.callers import Reply

SECONDS = 60


@dataclass
class Curl:
    """A user with curl and perhaps a token."""

    base: str
    token: str = ""

    def run(self, method: str, path: str, *options: str, body: bytes = b"") -> Reply:
        """Send a request to a path under /api/v1; `options` are curl's own."""
        sending = ["--data-binary", "@-"] if body else []
        done = subprocess.run(
            [*self._command(), "--include", "--request", method, *sending, *options, self._url(path)],
            input=body,
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        return _take_apart(done.stdout)

    def post_json(self, path: str, text: str, *options: str) -> Reply:
        """POST a JSON text."""
        return self.run("POST", path, "--header", "Content-Type: application/json", *options, body=text.encode())

    def follow(self, path: str, *options: str) -> str:
        """Read a stream to the end that the server makes of it."""
        command = [*self._command(), "--no-buffer", "--header", "Accept: text/event-stream", *options, self._url(path)]
        return subprocess.run(command, capture_output=True, timeout=SECONDS, check=True, text=True).stdout

    def _command(self) -> list[str]:
        authorization = ["--header", f"Authorization: Bearer {self.token}"] if self.token else []
        return ["curl", "--silent", "--show-error", "--noproxy", "*", *authorization]

    def _url(self, path: str) -> str:
        return f"{self.base}/api/v1{path}"


def _take_apart(output: bytes) -> Reply:
    head, _, body = output.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Reply(int(status.split()[1]), headers, body)


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a shell that runs a user's commands."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NO_PROXY": "*", "no_proxy": "*", **variables}
