"""Running again by the frozen plan: one stage with what depends on it, or the whole; earlier attempts stay."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.kernel.errors import NotFound
from app.pipelines.definition import Plan
from app.pipelines.errors import IllegalMove
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, Seen, pipeline, stage, step
from tests.support.work import make_runtime

pytestmark = pytest.mark.slow

API = "/api/v1"
FORK = pipeline(
    stage("make", "echo $CI_ATTEMPT > made", artifacts=["made"]),
    stage("use", 'cat made; test "$(cat made)" = 2', needs=["make"]),
    stage("after", needs=["use"]),
    stage("beside"),
)


def attempts_of(seen: Seen) -> dict[str, int]:
    return {name: one.attempt for name, one in seen.stages.items()}


def test_one_stage_runs_again_with_all_that_depends_on_it(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(FORK)
    assert seen.statuses == {"make": "succeeded", "use": "failed", "after": "skipped", "beside": "succeeded"}
    engine_of_alice.retry_stage(seen.execution.id, "make")
    queued = engine_of_alice.look(seen.execution.id)
    assert (queued.execution.status, queued.job.status) == ("queued", "queued")
    assert queued.statuses == {"make": "queued", "use": "queued", "after": "queued", "beside": "succeeded"}
    engine_of_alice.drain()
    again = engine_of_alice.look(seen.execution.id)
    assert set(again.statuses.values()) | {again.execution.status, again.job.status} == {"succeeded"}
    assert attempts_of(again) == {"make": 2, "use": 2, "after": 1, "beside": 1}
    assert engine_of_alice.text_of(again.steps["use/run"]) == ["2"]
    assert again.execution.plan_digest == seen.execution.plan_digest
    assert Plan.from_json(again.execution.plan).digest == seen.execution.plan_digest


def test_earlier_attempts_are_kept_beside_their_logs(engine_of_alice: Engine) -> None:
    script = "echo try $CI_ATTEMPT; exit $((3 - CI_ATTEMPT))"
    seen = engine_of_alice.run(pipeline(stage("a", step("run", script, retry_count=1))))
    engine_of_alice.retry(seen.execution.id)
    engine_of_alice.drain()
    again = engine_of_alice.look(seen.execution.id)
    assert (again.steps["a/run"].status, again.steps["a/run"].attempt) == ("succeeded", 3)
    kept = engine_of_alice.attempts(seen.execution.id)
    shown = [(one.stage_name, one.step_name, one.stage_attempt, one.attempt, one.status, one.exit_code) for one in kept]
    assert shown == [("a", "run", 1, 1, "failed", 2), ("a", "run", 1, 2, "failed", 1)]
    assert [one.reason for one in kept] == ["Exited with code 2.", "Exited with code 1."]
    assert all(one.duration_seconds is not None and one.started_at < one.finished_at for one in kept)
    found = again.steps["a/run"]
    assert [engine_of_alice.text_of(found, attempt) for attempt in (1, 2, 3)] == [["try 1"], ["try 2"], ["try 3"]]


def test_what_ran_once_leaves_no_earlier_attempt(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("a"), stage("b", condition="TAG")))
    engine_of_alice.retry_stage(seen.execution.id, "b")
    engine_of_alice.drain()
    assert engine_of_alice.attempts(seen.execution.id) == []


def test_the_whole_runs_again_also_when_it_succeeded(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("a"), stage("b", needs=["a"])))
    assert seen.execution.status == "succeeded"
    engine_of_alice.retry(seen.execution.id, whole=True)
    assert set(engine_of_alice.look(seen.execution.id).statuses.values()) == {"queued"}
    engine_of_alice.drain()
    again = engine_of_alice.look(seen.execution.id)
    assert attempts_of(again) == {"a": 2, "b": 2}
    assert (again.execution.status, again.job.status, again.job.result) == ("succeeded", "succeeded", seen.job.result)
    assert [one.status for one in engine_of_alice.attempts(seen.execution.id)] == ["succeeded", "succeeded"]


def test_a_stage_has_its_retries_anew(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("bad", "exit 1", retry_count=1), stage("other", "exit 1", needs=[])))
    engine_of_alice.retry_stage(seen.execution.id, "bad")
    engine_of_alice.drain()
    assert attempts_of(engine_of_alice.look(seen.execution.id)) == {"bad": 4, "other": 1}


def test_a_stage_runs_again_while_others_still_run(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(
        pipeline(stage("bad", 'test "$CI_ATTEMPT" = 2'), stage("child", needs=["bad"]), stage("slow"))
    )
    runtime = make_runtime(engine_of_alice.database, engine_of_alice.tools)
    assert runtime.run_job(engine_of_alice.look(execution_id).job.id)
    assert runtime.run_job(engine_of_alice.job_of(execution_id, "bad"))
    assert engine_of_alice.look(execution_id).statuses == {"bad": "failed", "child": "skipped", "slow": "queued"}
    with pytest.raises(IllegalMove):
        engine_of_alice.retry_stage(execution_id, "slow")
    engine_of_alice.retry_stage(execution_id, "bad")
    with pytest.raises(IllegalMove):
        engine_of_alice.retry_stage(execution_id, "bad")
    engine_of_alice.drain()
    seen = engine_of_alice.look(execution_id)
    assert set(seen.statuses.values()) | {seen.execution.status} == {"succeeded"}
    assert attempts_of(seen) == {"bad": 2, "child": 1, "slow": 1}


def test_a_stage_that_is_not_there_or_not_at_its_end_is_not_run_again(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(pipeline(stage("a", "exit 1"), stage("b", needs=["a"])))
    with pytest.raises(NotFound):
        engine_of_alice.retry_stage(execution_id, "nothing")
    engine_of_alice.drain()
    engine_of_alice.retry_stage(execution_id, "a")
    engine_of_alice.cancel(execution_id)
    assert set(engine_of_alice.look(execution_id).statuses.values()) == {"cancelled"}


def test_it_is_asked_for_over_http(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> None:
    at = f"{API}/executions/{engine_of_alice.run(FORK).execution.id}"
    digest = data_of(client.get(at, headers=alice.headers))["plan_digest"]
    reply = client.post(f"{at}/stages/make/retry", headers=alice.headers)
    queued = data_of(reply, 202)
    assert (queued["status"], queued["plan_digest"]) == ("queued", digest)
    assert reply.headers["Location"] == f"{API}/jobs/{queued['job_id']}"
    engine_of_alice.drain()
    kept = data_of(client.get(f"{at}/attempts?stage=use", headers=alice.headers))
    assert [(one["step"], one["attempt"], one["status"], one["exit_code"]) for one in kept] == [("run", 1, "failed", 1)]
    log = data_of(client.get(kept[0]["logs_url"], headers=alice.headers))
    assert [line["message"] for line in log["logs"] if line["stream"] == "stdout"] == ["1"]
    assert len(data_of(client.get(f"{at}/attempts", headers=alice.headers))) == 2
    assert error_of(client.post(f"{at}/stages/none/retry", headers=alice.headers), 404)["code"] == "RESOURCE_NOT_FOUND"
    error_of(client.post(f"{at}/retry", json={"stages": "some"}, headers=alice.headers), 422)
    assert error_of(client.post(f"{at}/retry", headers=alice.headers), 409)
    whole = data_of(client.post(f"{at}/retry", json={"stages": "all"}, headers=alice.headers), 202)
    assert {one["status"] for one in whole["stages"]} == {"queued"}


def test_retries_of_a_pipeline_hold_for_its_stages_and_multiply_those_of_a_step(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("inherits", step("run", "exit 1", retry_count=1)),
            stage("says", step("run", "exit 1"), retry_count=0),
            retry_count=2,
        )
    )
    assert attempts_of(seen) == {"inherits": 3, "says": 1}
    assert {name: one.attempt for name, one in seen.steps.items()} == {"inherits/run": 6, "says/run": 1}
    kept = [(one.stage_attempt, one.attempt) for one in engine_of_alice.attempts(seen.execution.id)]
    assert kept == [(1, 1), (1, 2), (2, 3), (2, 4), (3, 5)]
