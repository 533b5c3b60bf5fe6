"""Clients of a running platform: requests over plain HTTP, and streams through an SSE client library."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import sseclient

from tests.support.platform import wait_for

SECONDS = 70.0
SILENCE_SECONDS = 30.0
PASSWORD = "correct horse battery"
FINAL = ("succeeded", "failed", "cancelled", "timed_out")


@dataclass(frozen=True)
class Reply:
    """A reply as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)

    def data(self, status: int = 200) -> Any:
        """Return the data of a reply that has to have this status."""
        assert self.status == status, self.body.decode()
        return self.json["data"]

    def error(self, status: int) -> dict[str, Any]:
        """Return the error of a reply that has to have this status."""
        assert self.status == status, self.body.decode()
        error: dict[str, Any] = self.json["error"]
        return error


@dataclass(frozen=True)
class Heard:
    """An event of a stream; `data` is its JSON."""

    id: str
    type: str
    data: dict[str, Any]


class Caller:
    """Somebody who talks to the platform."""

    def __init__(self, base: str, token: str = "") -> None:
        self.base = base
        self.token = token

    def get(self, path: str, **headers: str) -> Reply:
        """GET a path under /api/v1; headers are written with underscores."""
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        """POST JSON, or bytes whose type is among the headers."""
        return self.send("POST", path, body, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request and read the whole reply."""
        content, kind = (body, {}) if isinstance(body, bytes) else _encode(body)
        with closing(self._connect(SECONDS)) as connection:
            connection.request(method, f"/api/v1{path}", content, {**kind, **self._headers(headers)})
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.headers.items()), reply.read())

    def stream(self, path: str, last_id: str = "") -> Iterator[Heard]:
        """Yield the events of one connection until it ends, `end` included."""
        resume = {"Last-Event-ID": last_id} if last_id else {}
        with closing(self._connect(SILENCE_SECONDS)) as connection:
            connection.request("GET", f"/api/v1{path}", None, {**resume, **self._headers({})})
            reply = connection.getresponse()
            if reply.status >= 500:
                raise http.client.BadStatusLine(str(reply.status))
            assert reply.status == 200, reply.read()
            for event in sseclient.SSEClient(reply).events():
                yield Heard(event.id or "", event.event, json.loads(event.data))

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=seconds)

    def _headers(self, named: Mapping[str, str]) -> dict[str, str]:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {**own, **{name.replace("_", "-"): value for name, value in named.items()}}


def _encode(body: Any) -> tuple[bytes | None, dict[str, str]]:
    return (None, {}) if body is None else (json.dumps(body).encode(), {"Content-Type": "application/json"})


class User(Caller):
    """Somebody with an account, and short words for what they do all the time."""

    @classmethod
    def registered(cls, base: str, username: str) -> User:
        """Register somebody, who is logged in by that."""
        wanted = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
        return cls(base, Caller(base).post("/auth/register", wanted).data(201)["access_token"])

    def make_workspace(self, name: str, repository_url: str, **fields: Any) -> str:
        """Make a workspace and return its id."""
        body = {"name": name, "repository_url": repository_url, **fields}
        return str(self.post("/workspaces", body).data(201)["id"])

    def make_pipeline(self, workspace_id: str, definition: Mapping[str, Any]) -> str:
        """Make a pipeline and return its id."""
        return str(self.post(f"/workspaces/{workspace_id}/pipelines", dict(definition)).data(201)["id"])

    def start(self, pipeline_id: str, **body: Any) -> dict[str, Any]:
        """Start an execution and return it as the 202 showed it."""
        started: dict[str, Any] = self.post(f"/pipelines/{pipeline_id}/executions", body).data(202)
        return started

    def execution(self, execution_id: str) -> dict[str, Any]:
        """Read an execution."""
        found: dict[str, Any] = self.get(f"/executions/{execution_id}").data()
        return found

    def wait_for_end(self, execution_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """Read an execution until it has ended."""

        def ended() -> dict[str, Any] | None:
            execution = self.execution(execution_id)
            return execution if execution["status"] in FINAL else None

        return wait_for(ended, seconds)

    def wait_for_stage(self, execution_id: str, name: str, status: str) -> None:
        """Wait until a stage has a status."""

        def reached() -> bool:
            return any(
                stage["name"] == name and stage["status"] == status for stage in self.execution(execution_id)["stages"]
            )

        wait_for(reached, 40)

    def wait_for_step(self, execution_id: str, stage: str, step: str, lines: int = 1, attempt: int = 1) -> None:
        """Wait until a step has written so many lines in an attempt."""
        path = f"/executions/{execution_id}/logs/{stage}/{step}"

        def written() -> bool:
            log = self.get(path).data()
            said = [line for line in log["logs"] if line["stream"] != "system"]
            return log["attempt"] >= attempt and len(said) >= lines

        wait_for(written, 40)

    def log(self, execution_id: str, stage: str, step: str, query: str = "") -> dict[str, Any]:
        """Read a page of a step's log."""
        page: dict[str, Any] = self.get(f"/executions/{execution_id}/logs/{quote(stage)}/{quote(step)}{query}").data()
        return page


class Listener(threading.Thread):
    """Follows a stream to its end over as many connections as that takes, as a browser's EventSource does."""

    def __init__(self, caller: Caller, path: str, last_id: str = "") -> None:
        super().__init__(daemon=True)
        self.heard: list[Heard] = []
        self.connections = 0
        self._caller = caller
        self._path = path
        self._last_id = last_id
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """The thread's work."""
        try:
            while not self._follow():
                time.sleep(0.2)
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the end
            self._error = error

    def end(self, seconds: float = 60.0) -> list[Heard]:
        """Wait for the end of the stream and return all it has brought."""
        self.join(seconds)
        if self._error:
            raise self._error
        assert not self.is_alive(), f"{self._path} did not end; last {self.heard[-1:]}"
        return self.heard

    def _follow(self) -> bool:
        self.connections += 1
        with suppress(OSError, http.client.HTTPException):
            for event in self._caller.stream(self._path, self._last_id):
                if event.type == "end":
                    return True
                self._last_id = event.id
                self.heard.append(event)
        return False


def lines_heard(heard: list[Heard]) -> list[tuple[int, dict[str, Any]]]:
    """Return the lines of a log's stream in the order they came, each with its attempt."""
    return [(int(event.id.partition("-")[0]), line) for event in heard for line in event.data["data"]["lines"]]
