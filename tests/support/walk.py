"""The main walk, taken with curl and an SSE client while others look on: what was met is kept for the tests."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.callers import PASSWORD, Heard, Listener, Reply, User
from tests.support.curl import Curl
from tests.support.repositories import Repository

LINES = 300

DEFINITION = """
name: walk
environment: {GREETING: hello}
stages:
  - name: build
    artifacts: [big.bin, "reports/*.txt"]
    steps:
      - name: talk
        run: |
          echo "$GREETING to $CI_COMMIT_SHA"
          sleep 1
          for i in $(seq LINES); do echo "line $i"; test $((i % 100)) != 0 || sleep 0.3; done
          echo "a problem" >&2
          printf 'colour \\033[31mred\\033[0m\\nnot utf8 \\377\\n'
          mkdir reports && echo passed > reports/tests.txt
          head -c 1500000 /dev/zero | tr '\\0' x > big.bin && printf end >> big.bin
  - name: check
    depends_on: [build]
    steps:
      - name: weigh
        run: wc -c < big.bin
""".replace("LINES", str(LINES))


@dataclass
class Walk:
    """What the walk has met."""

    curl: Curl
    user: User
    pipeline_id: str
    accepted: Reply
    again: Reply
    streams: dict[str, list[Heard]] = field(default_factory=dict)
    waited: list[dict[str, Any]] = field(default_factory=list)
    first_line_after: float = 0.0
    took: float = 0.0

    @property
    def job_id(self) -> str:
        return str(self.accepted.data(202)["job_id"])

    @property
    def id(self) -> str:
        return str(self.accepted.data(202)["id"])

    @property
    def log_path(self) -> str:
        return f"/executions/{self.id}/logs/build/talk"

    def get(self, path: str, *options: str) -> Any:
        """GET a path by curl and return its data."""
        return self.curl.run("GET", path, *options).data()


def take_walk(base: str, repository: Repository) -> Walk:
    """Start an execution on the platform at `base` and listen to all of its streams until it has ended."""
    walk = begin(Curl(base), repository)
    began = time.monotonic()
    paths = {
        "job": f"/jobs/{walk.job_id}/events",
        "execution": f"/executions/{walk.id}/events",
        "log": f"{walk.log_path}?follow=true",
    }
    listeners = {name: Listener(walk.user, path) for name, path in paths.items()}
    threading.Thread(target=note_first_line, args=(walk, listeners["log"], began), daemon=True).start()
    while not walk.waited or walk.waited[-1]["status"] in ("queued", "running"):
        walk.waited.append(walk.get(f"/jobs/{walk.job_id}?wait=30"))
    walk.took = time.monotonic() - began
    walk.streams = {name: listener.end() for name, listener in listeners.items()}
    return walk


def begin(curl: Curl, repository: Repository) -> Walk:
    account = {"username": "walker", "email": "walker@example.com", "password": PASSWORD}
    assert curl.post_json("/auth/register", json.dumps(account)).status == 201
    login = curl.post_json("/auth/login", json.dumps({"username": "walker", "password": PASSWORD}))
    curl.token = login.data()["access_token"]
    wanted = {"name": "Walk", "repository_url": repository.url, "branch": "main"}
    workspace = curl.post_json("/workspaces", json.dumps(wanted)).data(201)
    yaml = ["--header", "Content-Type: application/yaml"]
    made = curl.run("POST", f"/workspaces/{workspace['id']}/pipelines", *yaml, body=DEFINITION.encode()).data(201)
    path, key = f"/pipelines/{made['id']}/executions", ["--header", "Idempotency-Key: walk-1"]
    accepted = curl.post_json(path, '{"trigger": "api"}', *key)
    again = curl.post_json(path, '{"trigger": "api"}', *key)
    return Walk(curl, User(curl.base, curl.token), made["id"], accepted, again)


def note_first_line(walk: Walk, listener: Listener, began: float) -> None:
    while not listener.heard and listener.is_alive():
        time.sleep(0.02)
    walk.first_line_after = time.monotonic() - began
