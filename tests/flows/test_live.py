"""What happens, heard live by WebSocket and over several topics at once: as outside clients do it."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from tests.architecture.source import ROOT
from tests.support.callers import Heard, User
from tests.support.platform import Platform, wait_for
from tests.support.repositories import Repository
from tests.support.websocket import Talker

DEFINITION = {"name": "live", "stages": [{"name": "build", "steps": [{"name": "talk", "run": "sleep 1; echo done"}]}]}
UNKNOWN = "00000000-0000-7000-8000-000000000000"


class Started:
    """An execution of Alice's, at work."""

    def __init__(self, alice: User, repository: Repository) -> None:
        self.workspace_id = alice.make_workspace("Live", repository.url)
        pipeline_id = alice.make_pipeline(self.workspace_id, DEFINITION)
        started = alice.start(pipeline_id)
        self.id, self.job_id = started["id"], started["job_id"]
        self.topics = [f"execution:{self.id}", f"job:{self.job_id}", f"workspace:{self.workspace_id}"]


@pytest.fixture
def started(alice: User, repository: Repository) -> Started:
    return Started(alice, repository)


def port(platform: Platform) -> int:
    return int(urlsplit(platform.base).port or 0)


def talk(platform: Platform, user: User, path: str = "/ws") -> Talker:
    """Open a WebSocket for somebody and return it when it is known who they are."""
    talker = Talker(port(platform), path=path)
    assert talker.ask("auth", token=user.token)["success"] is True
    return talker


def test_a_socket_hears_all_topics_to_the_end_and_as_the_history_has_it(
    platform: Platform, alice: User, started: Started
) -> None:
    heard: dict[str, list[dict[str, Any]]] = {topic: [] for topic in started.topics}
    with talk(platform, alice, "/api/v1/websocket/open") as talker:
        talker.subscribe(*started.topics)
        while not any(event["type"] == "execution.finished" for event in heard[started.topics[2]]):
            event = talker.next(60)
            heard[event["topic"]].append(event)
    assert heard[started.topics[0]] == history(alice, f"/executions/{started.id}/events")
    assert heard[started.topics[1]] == history(alice, f"/jobs/{started.job_id}/events")
    types = [event["type"] for event in heard[started.topics[2]]]
    assert types[-2:] == ["execution.started", "execution.finished"]


def history(user: User, path: str) -> list[dict[str, Any]]:
    """Return the events of a finished topic."""
    found: list[dict[str, Any]] = user.get(path, Accept="application/json").data()
    return found


def test_one_execution_is_followed_by_its_updates(platform: Platform, alice: User, started: Started) -> None:
    with Talker(port(platform), path=f"/ws/executions/{started.id}?token={alice.token}") as talker:
        updates = talker.rest()
        assert talker.code == 1000
    assert {update["type"] for update in updates[:-1]} == {"execution_update"}
    assert [update["id"] for update in updates[:-1]] == [str(number) for number in range(1, len(updates))]
    about = [update["data"] for update in updates[:-1]]
    assert {one["execution_id"] for one in about} == {started.id}
    assert ("succeeded", "build", "talk") in [(one["status"], one["stage"], one["step"]) for one in about]
    assert (about[-1]["status"], about[-1]["event"]) == ("succeeded", "execution.finished")
    place = len(updates) // 2
    path = f"/ws/executions/{started.id}?token={alice.token}&last_event_id={place}"
    with Talker(port(platform), path=path) as talker:
        assert talker.rest()[:-1] == updates[place:-1]


def test_several_topics_come_in_one_stream_of_events(alice: User, started: Started) -> None:
    alice.wait_for_end(started.id)
    path = f"/events?topics={','.join(started.topics)}"
    whole = first_of(alice, path, lambda heard: len({event.data["topic"] for event in heard}) == 3)
    resumed = first_of(alice, path, lambda heard: True, whole[0].id)
    assert resumed[0].data == whole[1].data
    assert whole[0].id.count(".") == 2


def first_of(user: User, path: str, enough: Any, last_id: str = "") -> list[Heard]:
    """Return the first events of a stream that does not end."""
    heard: list[Heard] = []
    for event in user.stream(path, last_id):
        heard.append(event)
        if enough(heard):
            return heard
    raise AssertionError("the stream ended")


def test_a_stranger_hears_nothing_of_it(platform: Platform, alice: User, started: Started) -> None:
    bob = User.registered(platform.base, f"bob-{started.id[-8:]}")
    with talk(platform, bob) as talker:
        answer = talker.ask("subscribe", topics=started.topics)
        assert (answer["topics"], len(answer["refused"])) == ([], 3)
        assert {refused["error"]["code"] for refused in answer["refused"]} == {"RESOURCE_NOT_FOUND"}
    for execution_id in (started.id, UNKNOWN):
        with Talker(port(platform), path=f"/ws/executions/{execution_id}?token={bob.token}") as talker:
            assert (talker.rest(), talker.code) == ([], 4002)
    assert bob.get(f"/events?topics={started.topics[0]}").error(404)["code"] == "RESOURCE_NOT_FOUND"
    with Talker(port(platform), path=f"/ws/executions/{started.id}?token=junk") as talker:
        assert talker.rest()[0]["error"]["code"] == "TOKEN_INVALID"
        assert talker.code == 4001


def test_a_socket_ends_with_the_login(platform: Platform, alice: User, started: Started) -> None:
    with talk(platform, alice) as talker:
        talker.subscribe(started.topics[2], after={started.topics[2]: "latest"})
        assert alice.post("/auth/logout", {}).status in (200, 204)
        talker.rest()
        assert talker.code == 4001


def test_a_program_listens_with_a_key_within_its_scopes(platform: Platform, alice: User, started: Started) -> None:
    made = alice.post("/api-keys", {"name": "listener", "scopes": ["executions:read"]}).data(201)
    program = User(platform.base, made["key"])
    with talk(platform, program) as talker:
        answer = talker.ask("subscribe", topics=started.topics)
        assert answer["topics"] == started.topics[:1]
        assert alice.send("DELETE", f"/api-keys/{made['id']}").status == 204
        talker.rest()
        assert talker.code == 4001


def test_the_examples_of_the_page_on_real_time_work(platform: Platform, alice: User, started: Started) -> None:
    page = (ROOT / "docs" / "realtime.md").read_text()
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    command = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert program
    assert command
    known = {
        "WS": f"ws://127.0.0.1:{port(platform)}",
        "API": f"{platform.base}/api/v1",
        "TOKEN": alice.token,
        "EXECUTION": started.id,
        "JOB": started.job_id,
        "WORKSPACE": started.workspace_id,
    }
    environment = os.environ | known
    said = subprocess.check_output([sys.executable, "-c", program[1]], env=environment, text=True, timeout=60)
    assert said.splitlines()[-1].startswith("execution.finished ")
    streamed = subprocess.run(
        ["timeout", "3", "bash", "-c", command[1]], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "event: execution.finished" in streamed.stdout
    assert "event: job.succeeded" in streamed.stdout


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:1", 403)]
)
def test_a_page_from_elsewhere_may_not_open_a_socket(platform: Platform, origin: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Talker(port(platform), origin=origin)
    assert refused.value.response.status_code == status
    with Talker(port(platform), origin=platform.base) as talker:
        assert talker.socket.protocol.state.name == "OPEN"


def test_a_request_that_asks_for_no_socket_is_refused_in_the_usual_shape(platform: Platform) -> None:
    connection = http.client.HTTPConnection(urlsplit(platform.base).netloc)
    connection.request("GET", "/ws")
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    assert reply.status == 426
    assert '"code":"UPGRADE_REQUIRED"' in text
    assert "req_" in text


def test_the_metrics_tell_how_many_listen(platform: Platform, alice: User, started: Started) -> None:
    with talk(platform, alice):
        wait_for(lambda: metrics(platform).get('headrace_stream_listeners{kind="websocket"}') == 1.0)
        assert "headrace_stream_dropped_total" in metrics(platform)
    wait_for(lambda: metrics(platform).get('headrace_stream_listeners{kind="websocket"}') == 0.0)


def metrics(platform: Platform) -> Mapping[str, float]:
    """Return the samples of /metrics."""
    connection = http.client.HTTPConnection(urlsplit(platform.base).netloc)
    token = platform.environment.get("METRICS_TOKEN", "")
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    text = connection.getresponse().read().decode()
    connection.close()
    samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}
