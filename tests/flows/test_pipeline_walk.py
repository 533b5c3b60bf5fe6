"""The main walk whole, as a user does it with curl and an SSE client library: from an account to an artifact."""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import Any

import pytest

from tests.support.callers import Caller, lines_heard
from tests.support.platform import Platform
from tests.support.repositories import Repository
from tests.support.walk import LINES, Walk, take_walk

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def walk(_platform: Platform, repository: Repository) -> Walk:
    return take_walk(_platform.base, repository)


def test_the_start_is_accepted_with_a_job_to_follow(walk: Walk) -> None:
    data = walk.accepted.data(202)
    assert walk.accepted.headers["Location"] == f"/api/v1/jobs/{data['job_id']}"
    assert walk.accepted.headers["Retry-After"] == "1"
    assert (data["status"], data["trigger"], data["branch"], data["number"]) == ("queued", "api", "main", 1)
    assert [stage["status"] for stage in data["stages"]] == ["queued", "queued"]


def test_the_same_start_sent_again_starts_nothing(walk: Walk) -> None:
    assert walk.again.headers["Idempotent-Replayed"] == "true"
    assert walk.again.data(202) == walk.accepted.data(202)
    assert walk.get(f"/pipelines/{walk.pipeline_id}")["executions_started"] == 1


def test_the_truth_at_the_end(walk: Walk, repository: Repository) -> None:
    execution = walk.get(f"/executions/{walk.id}")
    assert execution["status"] == "succeeded"
    assert execution["commit_sha"] == repository.git("rev-parse", "main")
    assert execution["plan_digest"] == walk.accepted.data(202)["plan_digest"]
    steps = [step for stage in execution["stages"] for step in stage["steps"]]
    assert [(step["status"], step["attempt"], step["exit_code"]) for step in steps] == [("succeeded", 1, 0)] * 2
    assert all(step["duration_seconds"] > 0 and step["peak_memory_bytes"] and step["sandbox"] for step in steps)
    moments = [execution["created_at"], execution["started_at"], *[step["started_at"] for step in steps]]
    assert moments == sorted(moments)
    assert all(MOMENT.fullmatch(moment) for moment in [*moments, execution["finished_at"]])


def test_the_job_ends_and_waiting_for_it_does_not_poll(walk: Walk) -> None:
    job = walk.waited[-1]
    assert (job["status"], job["attempt"], job["kind"], job["error"]) == ("succeeded", 1, "pipelines.execute", None)
    assert job["resource"] == {"type": "execution", "id": walk.id}
    assert job["result"] == {"status": "succeeded", "stages": {"build": "succeeded", "check": "succeeded"}}
    assert job["progress"]["percent"] == 100
    assert job["cancel_requested_at"] is None
    percents = [seen["progress"]["percent"] for seen in walk.waited]
    assert percents == sorted(percents)
    assert len(walk.waited) < 20


def test_the_log_was_live(walk: Walk) -> None:
    assert walk.first_line_after < walk.took - 1
    assert len(walk.streams["log"]) > 3


@pytest.mark.parametrize("name", ["job", "execution"])
def test_a_stream_of_events_is_the_history_whole_and_in_order(walk: Walk, name: str) -> None:
    heard = walk.streams[name]
    path = f"/jobs/{walk.job_id}/events" if name == "job" else f"/executions/{walk.id}/events"
    history = walk.get(path, "--header", "Accept: application/json")
    assert [event.data for event in heard] == history
    assert [event.id for event in heard] == [event["id"] for event in history]
    assert [event.id for event in heard] == [str(number) for number in range(1, len(heard) + 1)]
    assert [event.type for event in heard] == [event["type"] for event in history]
    assert heard[-1].type == ("job.succeeded" if name == "job" else "execution.finished")
    assert {event.data["topic"] for event in heard} == {f"{name}:{walk.job_id if name == 'job' else walk.id}"}


def test_percent_never_falls(walk: Walk) -> None:
    percents = [event.data["data"]["progress"]["percent"] for event in walk.streams["job"]]
    assert percents == sorted(percents)


def stored_lines(walk: Walk, limit: int = 1000) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for after in itertools.count():
        page = walk.get(f"{walk.log_path}?limit={limit}&after_seq={lines[-1]['seq'] if lines else 0}")
        lines += page["logs"]
        if not page["has_more"]:
            return lines
        assert page["logs"], after
    raise AssertionError


def test_the_live_log_is_the_stored_one_line_by_line(walk: Walk) -> None:
    live = lines_heard(walk.streams["log"])
    assert {attempt for attempt, _ in live} == {1}
    lines = [line for _, line in live]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines == stored_lines(walk) == stored_lines(walk, limit=97)
    assert all(MOMENT.fullmatch(line["timestamp"]) for line in lines)
    said = [line["message"] for line in lines if line["stream"] == "stdout"]
    commit = walk.get(f"/executions/{walk.id}")["commit_sha"]
    colour = ["colour \x1b[31mred\x1b[0m", "not utf8 \N{REPLACEMENT CHARACTER}"]
    assert said == [f"hello to {commit}", *[f"line {number}" for number in range(1, LINES + 1)], *colour]
    assert [line["message"] for line in lines if line["stream"] == "stderr"] == ["a problem"]
    assert {line["level"] for line in lines if line["stream"] == "stderr"} == {"warn"}


def test_the_log_as_text_and_its_tail(walk: Walk) -> None:
    text = walk.curl.run("GET", walk.log_path, "--header", "Accept: text/plain")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = [line["message"] for line in stored_lines(walk)]
    assert text.body.decode() == "".join(f"{line}\n" for line in lines)
    tail = walk.get(f"{walk.log_path}?tail=7")
    assert [line["message"] for line in tail["logs"]] == lines[-7:]
    assert (tail["has_more"], tail["attempt"], tail["status"]) == (False, 1, "succeeded")


@pytest.mark.parametrize("name", ["job", "execution"])
def test_a_stream_is_resumed_with_nothing_lost_or_doubled(walk: Walk, name: str) -> None:
    heard = walk.streams[name]
    path = f"/jobs/{walk.job_id}/events" if name == "job" else f"/executions/{walk.id}/events"
    for place in (0, 1, len(heard) // 2, len(heard) - 1):
        resumed = list(walk.user.stream(path, heard[place].id))
        assert resumed[:-1] == heard[place + 1 :]
        assert resumed[-1].type == "end"


def test_a_log_is_resumed_at_any_line(walk: Walk) -> None:
    lines = lines_heard(walk.streams["log"])
    for seq in (1, 2, LINES // 2, len(lines) - 1, len(lines)):
        *resumed, end = walk.user.stream(f"{walk.log_path}?follow=true", f"1-{seq}")
        assert lines_heard(resumed) == lines[seq:]
        assert end.type == "end"


def test_curl_reads_a_stream_to_its_end(walk: Walk) -> None:
    text = walk.curl.follow(f"/executions/{walk.id}/events?last_event_id=2")
    blocks = [block for block in text.split("\n\n") if block]
    assert blocks[0] == "retry: 2000"
    assert blocks[1].startswith("id: 3\nevent: ")
    assert blocks[-1] == "event: end\ndata: {}"


@pytest.mark.parametrize("junk", ["x", "-1", "1.5", "1-2", "' or 1", "9" * 40])
def test_junk_to_resume_from_is_refused(walk: Walk, junk: str) -> None:
    header = ["--header", "Accept: text/event-stream", "--header", f"Last-Event-ID: {junk}"]
    reply = walk.curl.run("GET", f"/executions/{walk.id}/events", *header)
    assert reply.error(422)["code"] == "VALIDATION_ERROR"
    assert [fault["field"] for fault in reply.json["error"]["errors"]] == ["Last-Event-ID"]


def test_artifacts_are_listed_and_come_as_they_were(walk: Walk) -> None:
    content = b"x" * 1_500_000 + b"end"
    kept = {one["name"]: one for one in walk.get(f"/executions/{walk.id}/artifacts")}
    assert sorted(kept) == ["big.bin", "reports/tests.txt"]
    big = kept["big.bin"]
    assert (big["size"], big["stage"]) == (len(content), "build")
    assert big["sha256"] == hashlib.sha256(content).hexdigest()
    reply = Caller(walk.curl.base, walk.curl.token).get(big["url"].removeprefix("/api/v1"))
    assert (reply.status, reply.body) == (200, content)
    assert reply.headers["ETag"] == f'"{big["sha256"]}"'
    assert walk.curl.run("GET", kept["reports/tests.txt"]["url"].removeprefix("/api/v1")).body == b"passed\n"
    assert walk.get(f"/executions/{walk.id}/logs/check/weigh?tail=1")["logs"][0]["message"] == str(len(content))


def test_artifacts_come_by_ranges(walk: Walk) -> None:
    path = f"/executions/{walk.id}/artifacts/big.bin"
    size = 1_500_003
    part = walk.curl.run("GET", path, "--range", "1499998-1500001")
    assert (part.status, part.body) == (206, b"xxen")
    assert part.headers["Content-Range"] == f"bytes 1499998-1500001/{size}"
    assert walk.curl.run("GET", path, "--range", "-3").body == b"end"
    assert walk.curl.run("GET", path, "--range", f"{size - 2}-").body == b"nd"
    outside = walk.curl.run("GET", path, "--range", f"{size}-")
    assert outside.status == 416
    whole = walk.curl.run("GET", path)
    unchanged = walk.curl.run("GET", path, "--header", f"If-None-Match: {whole.headers['ETag']}")
    assert (unchanged.status, unchanged.body) == (304, b"")


def test_what_has_ended_is_neither_cancelled_nor_retried(walk: Walk) -> None:
    for path in (f"/executions/{walk.id}", f"/jobs/{walk.job_id}"):
        for verb in ("cancel", "retry"):
            assert walk.curl.post_json(f"{path}/{verb}", "{}").error(409)["code"] == "INVALID_STATE"


def test_lists_find_it_by_page_and_by_cursor(walk: Walk) -> None:
    for _ in range(4):
        started = walk.user.start(walk.pipeline_id)
        walk.user.post(f"/executions/{started['id']}/cancel").data(202)
    everything = walk.get(f"/executions?pipeline_id={walk.pipeline_id}&sort=number")
    assert [one["number"] for one in everything] == [1, 2, 3, 4, 5]
    pages = [
        walk.curl.run("GET", f"/pipelines/{walk.pipeline_id}/executions?sort=-number&limit=2&page={page}").json
        for page in (1, 2, 3)
    ]
    assert [[one["number"] for one in page["data"]] for page in pages] == [[5, 4], [3, 2], [1]]
    assert [page["meta"]["pagination"]["total"] for page in pages] == [5, 5, 5]
    cursor, found = pages[0]["meta"]["pagination"]["next_cursor"], []
    while cursor:
        page = walk.user.get(f"/executions?pipeline_id={walk.pipeline_id}&sort=-number&limit=2&cursor={cursor}").json
        found += [one["number"] for one in page["data"]]
        cursor = page["meta"]["pagination"]["next_cursor"]
    assert found == [3, 2, 1]
    assert [one["id"] for one in walk.get("/executions?status=succeeded")] == [walk.id]
    of_it = walk.get(f"/jobs?resource_type=execution&resource_id={walk.id}")
    assert [job["id"] for job in of_it] == [walk.job_id]
