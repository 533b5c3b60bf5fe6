"""Stages as a graph: which run, which are skipped, and how the whole ends."""

from __future__ import annotations

from typing import Any

import pytest

from app import jobs
from tests.support.pipelines import Engine, Seen, pipeline, stage, step

NOT_WANTED = "Its condition does not hold."


def ran_before(seen: Seen, first: str, second: str) -> bool:
    ended, began = seen.stages[first].finished_at, seen.stages[second].started_at
    assert ended is not None
    assert began is not None
    return ended <= began


def test_a_diamond_runs_in_its_order_on_one_commit_and_passes_files_on(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("a", "mkdir out; echo from a > out/a.txt", artifacts=["out/**"]),
            stage("b", "tr a-z A-Z < out/a.txt > b.txt; git rev-parse HEAD", needs=["a"], artifacts=["b.txt"]),
            stage("c", "test -e out/a.txt && test ! -e b.txt; git rev-parse HEAD", needs=["a"]),
            stage("d", "cat b.txt; test ! -e out/a.txt", needs=["b", "c"]),
        )
    )
    assert set(seen.statuses.values()) == {"succeeded"}
    assert all(ran_before(seen, *edge) for edge in ("ab", "ac", "bd", "cd"))
    commit = seen.execution.commit_sha
    assert engine_of_alice.text_of(seen.steps["b/run"]) == engine_of_alice.text_of(seen.steps["c/run"]) == [commit]
    assert engine_of_alice.text_of(seen.steps["d/run"]) == ["FROM A"]
    assert engine_of_alice.artifacts(seen.execution.id) == {"a/out/a.txt": b"from a\n", "b/b.txt": b"FROM A\n"}
    assert (seen.job.status, seen.job.percent, seen.execution.status) == ("succeeded", 100.0, "succeeded")
    assert seen.job.result == {"status": "succeeded", "stages": dict.fromkeys("abcd", "succeeded")}


def test_all_of_it_is_told_once_and_in_order(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("a"), stage("b", needs=["a"])))
    told = [(kind, data.get("stage"), data["status"]) for kind, data in engine_of_alice.events(seen.execution.topic)]
    assert told == [
        ("execution.status", None, "queued"),
        ("execution.status", None, "running"),
        *[
            entry
            for name in "ab"
            for entry in [
                ("stage.status", name, "running"),
                ("step.status", name, "running"),
                ("step.status", name, "succeeded"),
                ("stage.status", name, "succeeded"),
            ]
        ],
        ("execution.status", None, "succeeded"),
        ("execution.finished", None, "succeeded"),
    ]
    job = engine_of_alice.events(seen.job.topic)
    assert [kind for kind, _ in job if kind != "job.progress"] == ["job.queued", "job.running", "job.succeeded"]
    percents = [data["progress"]["percent"] for _, data in job]
    assert percents == sorted(percents)
    assert 50.0 in percents


def test_what_failed_blocks_all_that_hangs_on_it_and_nothing_else(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("bad", "exit 7"),
            stage("good"),
            stage("child", needs=["bad"]),
            stage("grandchild", needs=["child"]),
            stage("both", needs=["good", "grandchild"]),
            stage("sibling", needs=["good"]),
        )
    )
    assert seen.statuses == {
        "bad": "failed",
        "good": "succeeded",
        "child": "skipped",
        "grandchild": "skipped",
        "both": "skipped",
        "sibling": "succeeded",
    }
    assert seen.steps["bad/run"].exit_code == 7
    assert seen.stages["child"].reason == "A stage it depends on did not succeed: bad failed."
    failed = {
        "code": "STAGE_FAILED",
        "message": "Did not succeed: run failed.",
        "details": {"steps": {"run": "failed"}, "stage": "bad", "step": "run"},
    }
    assert seen.stages["bad"].error == jobs.identify("pipelines.run_stage", failed)
    assert (seen.execution.status, seen.job.status) == ("failed", "failed")
    assert seen.job.error == seen.execution.error
    error = {
        "code": "EXECUTION_FAILED",
        "message": "Did not succeed: bad failed.",
        "details": {"stage": "bad", "step": "run"},
    }
    assert seen.execution.error == jobs.identify("pipelines.execute", error)


def test_conditions_decide_which_stages_run_after_a_failure(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("bad", "exit 1"),
            stage("report", needs=["bad"], condition="failure()"),
            stage("clean", needs=["bad"], condition="always()"),
            stage("on main", needs=["bad"], condition="BRANCH == 'main'"),
            stage("after skipped", needs=["on main"]),
            stage("after clean", needs=["clean"]),
            stage("rescue", needs=["after skipped"], condition="failure() && BRANCH == 'main'"),
        )
    )
    assert seen.statuses == {
        "bad": "failed",
        "report": "succeeded",
        "clean": "succeeded",
        "on main": "skipped",
        "after skipped": "skipped",
        "after clean": "succeeded",
        "rescue": "succeeded",
    }
    assert seen.execution.status == "failed"


def test_a_stage_whose_condition_does_not_hold_is_skipped_and_blocks_nothing(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("release", condition="TAG"),
            stage("report", condition="failure()"),
            stage("after", needs=["release", "report"]),
            stage("for alice", condition="USER_NAME == 'alice'"),
        ),
        variables={"USER_NAME": "alice"},
    )
    assert seen.statuses == {
        "release": "skipped",
        "report": "skipped",
        "after": "succeeded",
        "for alice": "succeeded",
    }
    assert seen.stages["release"].reason == NOT_WANTED
    assert seen.execution.status == "succeeded"


def test_a_stage_that_may_fail_fails_nobody(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("flaky", "exit 1", continue_on_error=True),
            stage("slow", step("run", "sleep 9", timeout=1), continue_on_error=True),
            stage("after", needs=["flaky", "slow"]),
            stage("report", needs=["flaky"], condition="failure()"),
        )
    )
    assert seen.statuses == {"flaky": "failed", "slow": "timed_out", "after": "succeeded", "report": "skipped"}
    assert (seen.execution.status, seen.execution.error, seen.job.status) == ("succeeded", None, "succeeded")


def test_a_failed_stage_is_tried_again_as_often_as_it_says(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("late luck", 'echo try $CI_ATTEMPT; test "$CI_ATTEMPT" = 3', retry_count=2),
            stage("no luck", "exit 4", retry_count=1),
            stage("after", needs=["late luck"]),
        )
    )
    assert seen.statuses == {"late luck": "succeeded", "no luck": "failed", "after": "succeeded"}
    assert (seen.stages["late luck"].attempt, seen.stages["no luck"].attempt) == (3, 2)
    found = seen.steps["late luck/run"]
    assert [engine_of_alice.text_of(found, attempt) for attempt in (1, 2, 3)] == [["try 1"], ["try 2"], ["try 3"]]
    moves = [
        data["status"]
        for kind, data in engine_of_alice.events(seen.execution.topic)
        if kind == "stage.status" and data["stage"] == "no luck"
    ]
    assert moves == ["running", "failed", "queued", "running", "failed"]


def test_a_matrix_runs_each_cell_and_is_waited_for_whole(engine_of_alice: Engine) -> None:
    cells = {"os": ["linux", "mac"], "version": ["3.9", "3.10"], "exclude": [{"os": "mac", "version": "3.9"}]}
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "test",
                'echo "$MATRIX_OS $MATRIX_VERSION $CI_STAGE" | tee result.txt; test "$MATRIX_OS" != mac',
                matrix=cells,
                artifacts=[{"name": "result-${matrix.os}-${matrix.version}", "path": "result.txt"}],
            ),
            stage("after", needs=["test"]),
            stage("always", "cat result.txt", needs=["test"], condition="always()"),
        )
    )
    assert seen.statuses == {
        "test (linux, 3.9)": "succeeded",
        "test (linux, 3.10)": "succeeded",
        "test (mac, 3.10)": "failed",
        "after": "skipped",
        "always": "succeeded",
    }
    assert engine_of_alice.artifacts(seen.execution.id) == {
        "test (linux, 3.9)/result-linux-3.9": b"linux 3.9 test (linux, 3.9)\n",
        "test (linux, 3.10)/result-linux-3.10": b"linux 3.10 test (linux, 3.10)\n",
        "test (mac, 3.10)/result-mac-3.10": b"mac 3.10 test (mac, 3.10)\n",
    }


def test_a_retry_runs_what_did_not_succeed_by_the_same_plan(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("good", "date +%s%N > stamp", artifacts=["stamp"]),
            stage("bad", 'test "$CI_ATTEMPT" = 3', needs=["good"], retry_count=1),
            stage("after", "cat stamp", needs=["good", "bad"]),
            stage("unwanted", condition="TAG"),
        )
    )
    assert seen.statuses == {"good": "succeeded", "bad": "failed", "after": "skipped", "unwanted": "skipped"}
    engine_of_alice.retry(seen.execution.id)
    queued = engine_of_alice.look(seen.execution.id)
    assert (queued.execution.status, queued.execution.error, queued.job.percent) == ("queued", None, 0.0)
    assert queued.statuses == {"good": "succeeded", "bad": "queued", "after": "queued", "unwanted": "queued"}
    engine_of_alice.drain()
    again = engine_of_alice.look(seen.execution.id)
    assert again.statuses == {"good": "succeeded", "bad": "succeeded", "after": "succeeded", "unwanted": "skipped"}
    assert [again.stages[name].attempt for name in ("good", "bad", "after")] == [1, 3, 1]
    assert (again.execution.status, again.job.status, again.job.attempt) == ("succeeded", "succeeded", 2)
    assert again.execution.plan_digest == seen.execution.plan_digest
    assert again.execution.commit_sha == seen.execution.commit_sha
    stamp = engine_of_alice.artifacts(seen.execution.id)["good/stamp"]
    assert engine_of_alice.text_of(again.steps["after/run"]) == [stamp.decode().strip()]


def test_a_retry_that_fails_has_all_its_retries_anew(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("bad", "exit 1", retry_count=1)))
    assert seen.stages["bad"].attempt == 2
    engine_of_alice.retry(seen.execution.id)
    engine_of_alice.drain()
    assert engine_of_alice.look(seen.execution.id).stages["bad"].attempt == 4


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ({"branch": "no-such-branch"}, "BRANCH_NOT_FOUND"),
        ({"commit_sha": "0" * 40}, "COMMIT_NOT_FOUND"),
    ],
)
def test_a_source_that_is_not_there_ends_the_execution_by_its_code(
    engine_of_alice: Engine, start: dict[str, Any], code: str
) -> None:
    seen = engine_of_alice.run(pipeline(stage("a"), stage("b", needs=["a"])), **start)
    assert seen.execution.status == "failed"
    assert seen.execution.error is not None
    assert seen.execution.error["code"] == code
    assert "skipped" in seen.statuses.values()
