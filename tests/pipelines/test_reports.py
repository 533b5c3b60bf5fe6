"""Tests that executions report: recorded, listed, counted, and compared across runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.pipelines import Pipeline
from app.pipelines.models import Execution
from app.pipelines.service import Start, start_execution
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, pipeline, stage, step
from tests.support.secrets import keep_secret, tables_that_show

API = "/api/v1"
JUNIT = {"junit": ["out/*.xml"]}


def suite(*cases: str, name: str = "unit") -> str:
    return f'<testsuite name="{name}">{"".join(cases)}</testsuite>'


def case(name: str, inside: str = "", time: float = 0.1) -> str:
    return f'<testcase classname="shop" name="{name}" time="{time}">{inside}</testcase>'


def write(xml: str, file: str = "out/a.xml") -> str:
    """A script that writes a report."""
    return f"mkdir -p out\ncat >{file} <<'END'\n{xml}\nEND\n"


def listed(client: FlaskClient, alice: Person, execution_id: UUID, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(
        client.get(f"{API}/executions/{execution_id}/tests{query}", headers=alice.headers)
    )
    return found


def summary(client: FlaskClient, alice: Person, execution_id: UUID) -> dict[str, Any]:
    found: dict[str, Any] = data_of(client.get(f"{API}/executions/{execution_id}/tests/summary", headers=alice.headers))
    return found


MIXED = suite(
    case("adds"),
    case("fails", '<failure message="boom">trace</failure>'),
    case("breaks", "<error>no database</error>"),
    case("later", '<skipped message="not yet"/>', 0),
    case("100%_sure", "<system-out>said</system-out>"),
)


def test_tests_of_a_failed_stage_are_listed_counted_and_filtered(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    seen = engine_of_alice.run(pipeline(stage("unit", write(MIXED) + "false", reports=JUNIT), stage("other")))
    found = listed(client, alice, seen.execution.id)
    assert [(one["name"], one["status"]) for one in found] == [
        ("adds", "passed"),
        ("fails", "failed"),
        ("breaks", "error"),
        ("later", "skipped"),
        ("100%_sure", "passed"),
    ]
    assert found[1] == {
        "stage": "unit",
        "attempt": 1,
        "suite": "unit",
        "class_name": "shop",
        "name": "fails",
        "file": None,
        "status": "failed",
        "seconds": 0.1,
        "flaky": False,
        "message": "boom",
        "output": "trace",
    }
    assert found[4]["output"] is None
    counted = summary(client, alice, seen.execution.id)
    counts = {name: counted[name] for name in ("total", "passed", "failed", "error", "skipped")}
    assert counts == {"total": 5, "passed": 2, "failed": 1, "error": 1, "skipped": 1}
    assert [(one["stage"], one["attempt"], one["faults"]) for one in counted["stages"]] == [("unit", 1, [])]

    def names(query: str) -> list[str]:
        return [one["name"] for one in listed(client, alice, seen.execution.id, query)]

    assert names("?status=failed") == ["fails"]
    assert names("?stage=other") == []
    assert names("?search=%25_") == ["100%_sure"]
    assert names("?search=SHOP&sort=-seconds&limit=1&page=5") == ["later"]
    for query in ("status=odd", "search=", "flaky=perhaps", "colour=red"):
        error_of(client.get(f"{API}/executions/{seen.execution.id}/tests?{query}", headers=alice.headers), 422)


def test_a_stage_without_reports_has_no_tests(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("a")))
    assert listed(client, alice, seen.execution.id) == []
    assert summary(client, alice, seen.execution.id)["stages"] == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("true", "No file matches."),
        (write("<!DOCTYPE a [<!ENTITY b 'c'>]><testsuite name='&b;'/>"), "It declares a document type"),
        ("mkdir out; truncate -s 200M out/a.xml", "It has 209,715,200 bytes; at most 67,108,864 are read."),
        (write("<testsuite>"), "It is no whole XML"),
        ("mkdir out; ln -s /etc/passwd out/a.xml", "No file matches."),
        ("mkdir out; mkfifo out/a.xml", "No file matches."),
        ("mkdir out; touch out/$'a\\nb'.xml", "has a name that is too long or holds odd characters"),
    ],
)
def test_a_report_that_cannot_be_read_is_told_of_and_the_stage_ends_as_it_ended(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, script: str, reason: str
) -> None:
    good = stage("good", script, reports=JUNIT, artifacts=["README.md"])
    seen = engine_of_alice.run(pipeline(good, stage("bad", f"{script}\nfalse", reports=JUNIT)))
    assert seen.statuses == {"good": "succeeded", "bad": "failed"}
    assert engine_of_alice.artifacts(seen.execution.id).keys() == {"good/README.md"}
    stages = summary(client, alice, seen.execution.id)["stages"]
    assert [reason in fault["reason"] for one in stages for fault in one["faults"]] == [True, True]


def test_what_was_read_before_a_fault_and_in_other_files_is_kept(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    script = write(f"<testsuite>{case('first')}<oops") + write(suite(case("second")), "out/b.xml")
    seen = engine_of_alice.run(pipeline(stage("a", script, reports=JUNIT)))
    assert {one["name"] for one in listed(client, alice, seen.execution.id)} == {"first", "second"}
    (told,) = summary(client, alice, seen.execution.id)["stages"]
    assert [fault["file"] for fault in told["faults"]] == ["out/a.xml"]


def test_secrets_are_masked_wherever_a_report_shows_them(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    value = "correct-horse-battery"
    keep_secret(engine_of_alice.database, engine_of_alice.tools.vault, engine_of_alice.workspace, "TOKEN", value)
    script = (
        "mkdir out\n"
        'echo "<testsuite name=\\"$TOKEN\\"><testcase name=\\"is $TOKEN\\" classname=\\"c$TOKEN\\" file=\\"$TOKEN\\">'
        '<failure message=\\"was $TOKEN\\">$(head -c 65530 /dev/zero | tr "\\\\0" x)$TOKEN</failure>'
        '</testcase><testcase name=\\"$(echo -n "$TOKEN" | base64)\\"/></testsuite>" >"out/$TOKEN.xml"\n'
        'echo "<$TOKEN" >"out/z$TOKEN.xml"'
    )
    seen = engine_of_alice.run(pipeline(stage("a", step("s", script, secrets=["TOKEN"]), reports=JUNIT)))
    first, second = listed(client, alice, seen.execution.id)
    assert (first["suite"], first["name"], first["class_name"]) == ("***", "is ***", "c***")
    assert (first["file"], first["message"], second["name"]) == ("***", "was ***", "***")
    (told,) = summary(client, alice, seen.execution.id)["stages"]
    assert [fault["file"] for fault in told["faults"]] == ["out/z***.xml"]
    assert tables_that_show(engine_of_alice.database, value) == []
    assert tables_that_show(engine_of_alice.database, value[:6]) == []


def test_globs_may_name_variables(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> None:
    script = write(suite(case("adds")), "out/a1.xml")
    definition = pipeline(stage("a", script, matrix={"v": ["1"]}, reports={"junit": "${DIR}/a${matrix.v}.xml"}))
    seen = engine_of_alice.run(definition, variables={"DIR": "out"})
    assert [one["name"] for one in listed(client, alice, seen.execution.id)] == ["adds"]


def test_a_retried_stage_shows_the_tests_of_its_newest_attempt(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    failing = case("adds", "<failure/>")
    script = f'if [ "$CI_ATTEMPT" = 1 ]; then {write(suite(failing))}false; else {write(suite(case("adds")))}fi'
    definition = pipeline(stage("a", script, reports=JUNIT))
    execution_id = engine_of_alice.start(definition)
    engine_of_alice.drain()
    assert [one["status"] for one in listed(client, alice, execution_id)] == ["failed"]
    engine_of_alice.retry(execution_id)
    engine_of_alice.drain()
    engine_of_alice.make_due()
    engine_of_alice.drain()
    found = listed(client, alice, execution_id)
    assert len({(one["name"], one["attempt"]) for one in found}) == len(found) == 1
    assert found[0]["attempt"] == 2


SHAKY = '<testcase name="shaky" time="$TIME">$inside</testcase>'
VARIED = f"""
mkdir -p out
if [ "$FAIL" = yes ]; then inside='<failure message="boom"/>'; fi
cat >out/a.xml <<END
{suite(case("steady", time=0.5), SHAKY, case("broken", "<failure/>"))}
END
"""


def run_again(engine: Engine, pipeline_id: UUID, **variables: str) -> None:
    with engine.database.transaction() as session:
        found = session.get_one(Pipeline, pipeline_id)
        start_execution(session, found, engine.workspace, Start(variables=variables), engine.caller)
    engine.drain()


def test_flaky_and_slow_tests_are_found_across_runs(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    first = engine_of_alice.run(pipeline(stage("a", VARIED, reports=JUNIT)), variables={"FAIL": "yes", "TIME": "2"})
    pipeline_id = first.execution.pipeline_id
    path = f"{API}/pipelines/{pipeline_id}/tests"

    def asked(query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = data_of(client.get(f"{path}/{query}", headers=alice.headers))
        return found

    assert asked("flaky") == []
    for fail, time in (("no", "4"), ("no", "6")):
        run_again(engine_of_alice, pipeline_id, FAIL=fail, TIME=time)
    (flaky,) = asked("flaky")
    assert (flaky["name"], flaky["runs"], flaky["failures"]) == ("shaky", 3, 1)
    assert (flaky["commits"], flaky["flaky_commits"], flaky["rate"]) == (1, 1, 1.0)
    with engine_of_alice.database.transaction() as session:
        started = session.get_one(Execution, first.execution.id).created_at
    assert flaky["last_failed_at"][:19] == started.isoformat()[:19]
    assert asked("flaky?runs=2") == []
    slowest = asked("slowest")
    assert [(one["name"], one["runs"], one["mean_seconds"], one["longest_seconds"]) for one in slowest] == [
        ("shaky", 3, 4.0, 6.0),
        ("steady", 3, 0.5, 0.5),
        ("broken", 3, pytest.approx(0.1), 0.1),
    ]
    assert [one["name"] for one in asked("slowest?limit=1&runs=2")] == ["shaky"]
    for query in ("runs=1", "limit=0", "runs=many"):
        error_of(client.get(f"{path}/slowest?{query}", headers=alice.headers), 422)


def test_a_test_that_its_runner_tried_again_is_flaky_at_once(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    xml = suite(case("shaky", '<flakyFailure message="boom"><stackTrace>at 1</stackTrace></flakyFailure>'))
    seen = engine_of_alice.run(pipeline(stage("a", write(xml), reports=JUNIT)))
    (found,) = listed(client, alice, seen.execution.id, "?flaky=true")
    assert (found["status"], found["output"]) == ("passed", "at 1")
    path = f"{API}/pipelines/{seen.execution.pipeline_id}/tests/flaky"
    assert [one["name"] for one in data_of(client.get(path, headers=alice.headers))] == ["shaky"]


def test_the_same_name_in_two_cells_of_a_matrix_is_two_tests(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    script = VARIED.replace("$FAIL", "$MATRIX_FAIL").replace("$TIME", "1")
    seen = engine_of_alice.run(pipeline(stage("a", script, reports=JUNIT, matrix={"fail": ["yes", "no"]})))
    path = f"{API}/pipelines/{seen.execution.pipeline_id}/tests/flaky"
    assert data_of(client.get(path, headers=alice.headers)) == []
