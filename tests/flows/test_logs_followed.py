"""Logs followed from before their first line: from attempt to attempt, to the end, whatever that is."""

from __future__ import annotations

import pytest

from tests.support.callers import Listener, User, lines_heard
from tests.support.pipelines import pipeline, stage, step
from tests.support.repositories import Repository

TRY = 'echo "try $CI_ATTEMPT"; sleep 0.4; test "$CI_ATTEMPT" = '


def said(listener: Listener) -> list[tuple[int, str]]:
    """Return what the step itself wrote, with the attempts it wrote it in."""
    heard = lines_heard(listener.end())
    return [(attempt, line["message"]) for attempt, line in heard if line["stream"] != "system"]


@pytest.fixture
def workspace(alice: User, repository: Repository) -> str:
    return alice.make_workspace("Follow", repository.url)


def test_a_log_goes_on_from_attempt_to_attempt_and_ends_with_the_step(alice: User, workspace: str) -> None:
    stages = [
        stage("again", step("run", TRY + "2"), step("next", "echo next"), retry_count=1),
        stage("steps", step("run", TRY + "3", retry_count=5)),
        stage("skipped", condition="TAG"),
        stage("fails", step("run", "echo bad >&2; exit 1"), step("after")),
    ]
    started = alice.start(alice.make_pipeline(workspace, pipeline(*stages)))
    listeners = {
        name: Listener(alice, f"/executions/{started['id']}/logs/{name}?follow=true")
        for name in ("again/run", "again/next", "steps/run", "skipped/run", "fails/run", "fails/after")
    }
    assert said(listeners["again/run"]) == [(1, "try 1"), (2, "try 2")]
    assert said(listeners["again/next"]) == [(1, "next")]
    assert said(listeners["steps/run"]) == [(1, "try 1"), (2, "try 2"), (3, "try 3")]
    assert said(listeners["skipped/run"]) == []
    assert said(listeners["fails/run"]) == [(1, "bad")]
    assert said(listeners["fails/after"]) == []
    alice.wait_for_end(started["id"])
    late = Listener(alice, f"/executions/{started['id']}/logs/again/run?follow=true")
    assert said(late) == [(2, "try 2")]
    from_first = Listener(alice, f"/executions/{started['id']}/logs/again/run?follow=true", "1-1")
    assert (2, "try 2") in said(from_first)


def test_the_log_of_a_cancelled_step_ends_with_what_it_had_written(alice: User, workspace: str) -> None:
    stages = [stage("slow", step("run", "echo before; sleep 60"), step("never"))]
    started = alice.start(alice.make_pipeline(workspace, pipeline(*stages)))
    path = f"/executions/{started['id']}/logs/slow"
    running, never = (Listener(alice, f"{path}/{name}?follow=true") for name in ("run", "never"))
    alice.wait_for_step(started["id"], "slow", "run")
    alice.post(f"/executions/{started['id']}/cancel").data(202)
    assert said(running)[0] == (1, "before")
    assert said(never) == []
