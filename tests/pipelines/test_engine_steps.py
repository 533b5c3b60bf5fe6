"""Steps inside a stage: order, conditions, failures that matter or do not, retries, timeouts, and what a step sees."""

from __future__ import annotations

import time

from app.kernel.clock import database_now
from app.kernel.stream import events_after
from app.pipelines import Execution
from tests.support.pipelines import Engine, Seen, pipeline, stage, step


def variables_of(engine: Engine, seen: Seen, name: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in engine.text_of(seen.steps[name]) if "=" in line)


def test_the_first_failure_skips_the_steps_after_it_but_for_those_that_ask(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "test",
                step("build", "echo built > result.txt"),
                step("early", condition="failure()"),
                step("bad", "cat result.txt; exit 3"),
                step("next"),
                step("report", "cat result.txt", condition="failure()"),
                step("clean", condition="always()"),
                step("on main", condition="BRANCH == 'main'"),
                artifacts=["result.txt"],
            )
        )
    )
    assert {name.partition("/")[2]: status for name, status in seen.step_statuses.items()} == {
        "build": "succeeded",
        "early": "skipped",
        "bad": "failed",
        "next": "skipped",
        "report": "succeeded",
        "clean": "succeeded",
        "on main": "skipped",
    }
    assert seen.steps["test/early"].reason == "Its condition does not hold."
    assert seen.steps["test/next"].reason == "A step before it failed."
    bad = seen.steps["test/bad"]
    assert (bad.reason, bad.exit_code, bad.attempt) == ("Exited with code 3.", 3, 1)
    assert engine_of_alice.text_of(bad) == ["built"]
    assert seen.stages["test"].reason == "Did not succeed: bad failed."
    assert engine_of_alice.artifacts(seen.execution.id) == {"test/result.txt": b"built\n"}


def test_the_job_of_a_stage_tells_which_step_runs(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("build", step("compile"), step("test", "exit 1"), artifacts=["x"])))
    topic = f"job:{engine_of_alice.job_of(seen.execution.id, 'build')}"
    progress = [data["progress"] for kind, data in engine_of_alice.events(topic) if kind == "job.progress"]
    told = [(one["phase"], one["message"]) for one in progress]
    assert told[0][0] == "checkout"
    assert told[1:] == [
        ("compile", "compile runs"),
        ("compile", "compile succeeded"),
        ("test", "test runs"),
        ("test", "test failed"),
        ("keep", "keeping reports, artifacts and caches"),
    ]


def test_a_step_that_may_fail_fails_nobody(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "test",
                step("lint", "exit 1", continue_on_error=True),
                step("slow", "sleep 9", timeout=1, continue_on_error=True),
                step("build"),
                step("report", condition="failure()"),
            )
        )
    )
    assert list(seen.step_statuses.values()) == ["failed", "timed_out", "succeeded", "skipped"]
    assert seen.execution.status == "succeeded"


def test_a_failed_step_is_tried_again_in_the_same_checkout(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "test",
                step("luck", 'echo x >> tries; echo "try $CI_ATTEMPT"; test $(wc -l < tries) = 3', retry_count=5),
                step("no luck", "exit 9", retry_count=1),
            )
        )
    )
    luck, no_luck = seen.steps.values()
    assert (luck.status, luck.attempt, no_luck.status, no_luck.attempt) == ("succeeded", 3, "failed", 2)
    assert [engine_of_alice.text_of(luck, attempt) for attempt in (1, 2, 3)] == [["try 1"], ["try 2"], ["try 3"]]
    assert seen.stages["test"].attempt == 1
    with engine_of_alice.database.transaction() as session:
        events = session.execute(events_after(seen.execution.topic, 0)).scalars().all()
    told = [event.data["status"] for event in events if event.data.get("step") == "luck"]
    assert told == ["running", "failed", "queued", "running", "failed", "queued", "running", "succeeded"]


def test_a_step_is_stopped_at_its_timeout(engine_of_alice: Engine) -> None:
    began = time.monotonic()
    seen = engine_of_alice.run(
        pipeline(stage("test", step("slow", "echo before; sleep 60", timeout=1), step("after", condition="always()")))
    )
    assert time.monotonic() - began < 20
    slow = seen.steps["test/slow"]
    assert (slow.status, seen.steps["test/after"].status) == ("timed_out", "succeeded")
    assert slow.reason == "Stopped at its timeout, after 1 s of 1 s."
    assert engine_of_alice.text_of(slow)[0] == "before"
    assert (seen.statuses, seen.execution.status) == ({"test": "timed_out"}, "timed_out")
    assert seen.execution.error is not None
    assert seen.execution.error["code"] == "EXECUTION_TIMED_OUT"
    assert (seen.job.status, seen.job.error) == ("failed", seen.execution.error)


def test_a_stage_is_stopped_at_its_timeout_whatever_its_steps_put_up_with(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "test",
                step("slow", "sleep 60", continue_on_error=True, retry_count=3),
                step("next", continue_on_error=True),
                step("clean", condition="always()"),
                timeout=2,
            )
        )
    )
    assert list(seen.step_statuses.values()) == ["timed_out", "skipped", "skipped"]
    slow, following, _ = seen.steps.values()
    assert (slow.attempt, slow.reason) == (1, "Stopped: the stage's time was up.")
    assert following.reason == "The stage's time was up."
    found = seen.stages["test"]
    assert (found.status, found.reason) == ("timed_out", "The stage's time was up.")
    assert seen.execution.status == "timed_out"


def test_a_pipeline_is_stopped_at_its_timeout(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(stage("slow", "sleep 60"), stage("late", condition="always()", needs=["slow"]), timeout=2)
    )
    assert seen.statuses == {"slow": "timed_out", "late": "timed_out"}
    assert seen.stages["late"].reason == "The pipeline's time was up before the stage could start."
    assert seen.step_statuses == {"slow/run": "timed_out", "late/run": "skipped"}
    assert (seen.execution.status, seen.job.status) == ("timed_out", "failed")


def test_a_retry_begins_the_pipelines_time_anew(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("bad", 'test "$CI_ATTEMPT" = 2'), timeout=60))
    with engine_of_alice.database.transaction() as session:
        session.get_one(Execution, seen.execution.id).deadline_at = session.scalars(database_now().select()).one()
    engine_of_alice.retry(seen.execution.id)
    engine_of_alice.drain()
    assert engine_of_alice.look(seen.execution.id).execution.status == "succeeded"


def test_the_nearest_of_several_values_for_a_variable_holds(engine_of_alice: Engine) -> None:
    names = ("PIPELINE", "START", "STAGE", "STEP", "MATRIX")
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "test",
                step("show", "env", environment={"IN_STEP": "step"}),
                environment={"IN_STAGE": "stage", "IN_STEP": "stage"},
                matrix={"in": ["cell"]},
            ),
            environment={f"IN_{name}": "pipeline" for name in names},
        ),
        variables={f"IN_{name}": "start" for name in names[1:]},
    )
    found = variables_of(engine_of_alice, seen, "test (cell)/show")
    assert [found[f"IN_{name}"] for name in names] == ["pipeline", "start", "stage", "step", "start"]
    assert found["MATRIX_IN"] == "cell"


def test_a_step_sees_the_built_in_variables_and_nothing_of_the_worker(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "see it",
                step("show", "env; pwd; touch $BUILD_DIR/b $ARTIFACTS_DIR/a; git status --porcelain"),
                step("below", "pwd", working_directory="${FOLDER}", environment={"FOLDER": ".build"}),
            ),
            environment={"CI": "no"},
        )
    )
    found = variables_of(engine_of_alice, seen, "see it/show")
    at = str(engine_of_alice.tools.sandbox.workspace_path(engine_of_alice.tools.workspaces))
    commit, execution_id = seen.execution.commit_sha or "", str(seen.execution.id)
    built_in = {
        "CI": "no",
        "HEADRACE": "true",
        "BRANCH": "main",
        **dict.fromkeys(("TAG", "CI_TAG"), ""),
        "CI_COMMIT_SHA": commit,
        "BUILD_SHA": commit,
        "CI_COMMIT_SHORT_SHA": commit[:8],
        "EXECUTION_ID": execution_id,
        "BUILD_ID": execution_id,
        "CI_PIPELINE": "shop",
        "CI_STAGE": "see it",
        "CI_STEP": "show",
        "CI_ATTEMPT": "1",
        "CI_EVENT": "manual",
        **dict.fromkeys(("CI_PULL_REQUEST", "CI_PULL_REQUEST_BRANCH", "CI_PULL_REQUEST_TARGET"), ""),
        "WORKSPACE": at,
        "SOURCE_DIR": at,
        "WORKING_DIR": at,
        "BUILD_DIR": f"{at}/.build",
        "ARTIFACTS_DIR": f"{at}/.artifacts",
    }
    assert {name: found.get(name) for name in built_in} == built_in
    of_the_shell = {"PATH", "HOME", "TMPDIR", "PWD", "SHLVL", "_"}
    assert set(found) - set(built_in) <= of_the_shell
    assert engine_of_alice.text_of(seen.steps["see it/show"])[-1] == at
    assert engine_of_alice.text_of(seen.steps["see it/below"]) == [f"{at}/.build"]


def test_a_directory_that_a_variable_leads_out_of_the_checkout_fails_its_step(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage(
                "test",
                step("out", working_directory="${FOLDER}", continue_on_error=True),
                step("asked first", working_directory="${FOLDER}", condition="BRANCH", continue_on_error=True),
                step("nowhere", working_directory="no/such", continue_on_error=True),
            )
        ),
        variables={"FOLDER": "../../etc"},
    )
    assert set(seen.step_statuses.values()) == {"failed"}
    out, asked, nowhere = seen.steps.values()
    assert out.reason == asked.reason
    assert "leads out of the checkout" in (out.reason or "")
    assert nowhere.reason == "There is no directory 'no/such' in the workspace."
    assert seen.execution.status == "succeeded"


def test_a_program_gets_its_arguments_as_they_are(engine_of_alice: Engine) -> None:
    arguments = ["$HOME", "a b", "'", "*", "$(id)", ""]
    seen = engine_of_alice.run(
        pipeline(stage("test", {"name": "say", "command": "printf", "args": ["<%s>", *arguments]}))
    )
    assert engine_of_alice.text_of(seen.steps["test/say"]) == ["".join(f"<{one}>" for one in arguments)]


def test_nothing_of_a_checkout_stays(engine_of_alice: Engine) -> None:
    left = engine_of_alice.tools.workspaces
    engine_of_alice.run(pipeline(stage("a", "mkdir -p deep/er; chmod 0 deep"), stage("b", "exit 1")))
    assert list(left.iterdir()) == []
