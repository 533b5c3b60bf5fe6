"""Secrets in steps: given to those that name them, shown nowhere."""

from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pytest

from app.pipelines import LogReader, Step
from config.settings import Settings
from tests.conftest import Hints
from tests.support.pipelines import Engine, make_tools, pipeline, stage, step
from tests.support.secrets import files_that_show, keep_secret, tables_that_show

pytestmark = pytest.mark.slow

TOKEN = "s3cr+t/with odd=signs&more"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----\n"


@pytest.fixture
def runner(engine_of_alice: Engine) -> Engine:
    """A runner whose workspace has the secret TOKEN."""
    keep(engine_of_alice, "TOKEN", TOKEN)
    return engine_of_alice


def keep(runner: Engine, name: str, value: str) -> None:
    keep_secret(runner.database, runner.tools.vault, runner.workspace, name, value)


def whole_log(runner: Engine, found: Step) -> str:
    page = LogReader(runner.database, runner.tools.log_store).read(found.id, None, 0, 10_000)
    return "\n".join(line.message for line in page.lines)


def test_a_step_finds_what_it_names_and_no_other_step_does(runner: Engine) -> None:
    keep(runner, "OTHER", "another-value")
    length = 'echo "${#TOKEN} ${#OTHER}"'
    seen = runner.run(pipeline(stage("a", step("both", length, secrets=["TOKEN", "OTHER"]), step("none", length))))
    assert runner.text_of(seen.steps["a/both"]) == [f"{len(TOKEN)} {len('another-value')}"]
    assert runner.text_of(seen.steps["a/none"]) == ["0 0"]


def test_a_value_is_masked_however_a_step_prints_it(runner: Engine, tmp_path: Path, hints: Hints) -> None:
    encoded = quote(TOKEN, safe="")
    script = f"""
        echo "clear: $TOKEN"
        echo "error: $TOKEN" >&2
        echo "base64: $(printf %s "$TOKEN" | base64 -w0)"
        echo "basic: $(printf %s "bot:$TOKEN" | base64 -w0)"
        printf 'url: '; for part in {encoded[:9]} {encoded[9:]}; do printf %s "$part"; done; echo
        printf 'split: %s' "${{TOKEN:0:7}}"; sleep 0.5; printf '%s\\n' "${{TOKEN:7}}"
        printf 'open end: %s' "$TOKEN"
    """
    seen = runner.run(pipeline(stage("a", step("print", script, secrets=["TOKEN"]))))
    assert seen.statuses == {"a": "succeeded"}
    lines = dict(line.split(": ", 1) for line in runner.text_of(seen.steps["a/print"]))
    basic = lines.pop("basic")
    assert lines == dict.fromkeys(["clear", "error", "base64", "url", "split", "open end"], "***")
    assert basic.startswith("Ym90O")
    assert base64.b64encode(b"bot:" + TOKEN.encode())[9:20].decode() not in basic
    assert tables_that_show(runner.database, TOKEN) == []
    assert files_that_show(tmp_path, TOKEN) == []
    assert "s3cr" not in repr(hints.sent)


def test_a_value_that_one_step_writes_is_masked_where_another_prints_it(runner: Engine) -> None:
    seen = runner.run(
        pipeline(
            stage(
                "a",
                step("write", 'printf %s "$TOKEN" >file', secrets=["TOKEN"]),
                step("print", "cat file"),
                step("never", "true", secrets=["LATE"], condition="BRANCH == 'other'"),
            )
        )
    )
    assert runner.text_of(seen.steps["a/print"]) == ["***"]
    assert seen.step_statuses == {"a/write": "succeeded", "a/print": "succeeded", "a/never": "skipped"}


def test_a_step_that_is_to_print_before_another_uses_a_secret_is_masked_too(runner: Engine) -> None:
    seen = runner.run(pipeline(stage("a", step("print", f"echo '{TOKEN}'"), step("use", secrets=["TOKEN"]))))
    assert runner.text_of(seen.steps["a/print"]) == ["***"]


def test_a_secret_of_several_lines_arrives_whole_and_is_masked_line_by_line(runner: Engine) -> None:
    keep(runner, "KEY", KEY)
    script = 'printf %s "$KEY" >key; wc -c <key; cat key; sed "s/^/> /" key; base64 key'
    seen = runner.run(pipeline(stage("a", step("print", script, secrets=["KEY"]))))
    first, *lines = runner.text_of(seen.steps["a/print"])
    assert first.strip() == str(len(KEY))
    assert {line.removeprefix("> ").replace("***", "").rstrip("K=") for line in lines} == {""}


def test_the_reasons_of_failures_do_not_show_a_value(runner: Engine) -> None:
    folder = {"working_directory": "${FOLDER}", "secrets": ["TOKEN"], "continue_on_error": True}
    bad_name = 'touch "$(printf "%s\\001" "${TOKEN//\\//-}")"'
    keep(runner, "NAME", TOKEN.replace("/", "-"))
    found = runner.run(
        pipeline(
            stage("folder", step("s", **folder)),
            stage("artifact", step("s", bad_name, secrets=["TOKEN", "NAME"]), artifacts=["s3*"]),
        ),
        variables={"FOLDER": TOKEN},
    )
    assert "'***'" in (found.steps["folder/s"].reason or "")
    assert "***" in whole_log(runner, found.steps["folder/s"])
    assert "***" in (found.stages["artifact"].reason or "")
    error = found.stages["artifact"].error or {}
    assert error["code"] == "ARTIFACT_NAME_REFUSED"
    assert "s3cr" not in error["message"]
    assert tables_that_show(runner.database, "s3cr+t-with") == []


@pytest.mark.parametrize("retries", [0, 3])
def test_a_step_whose_secret_is_missing_fails_before_it_runs(runner: Engine, retries: int) -> None:
    seen = runner.run(
        pipeline(
            stage(
                "a",
                step("deploy", "echo ran >ran", secrets=["TOKEN", "DEPLOY_KEY"], retry_count=retries),
                step("next"),
                step("look", "ls", condition="always()"),
            )
        )
    )
    deploy = seen.steps["a/deploy"]
    missing = "There is no secret DEPLOY_KEY of this pipeline, its workspace or its organization."
    assert (deploy.status, deploy.reason) == ("failed", missing)
    assert (deploy.attempt, deploy.exit_code, seen.step_statuses["a/next"]) == (0, None, "skipped")
    assert runner.text_of(seen.steps["a/look"]) == ["README.md"]
    assert seen.statuses == {"a": "failed"}


def test_secrets_that_are_too_much_for_a_process_are_refused(runner: Engine) -> None:
    names = [f"BIG{number}" for number in range(17)]
    for name in names:
        keep(runner, name, name.ljust(64 * 1024, "x"))
    counted = step("fits", "env | grep -c ^BIG", secrets=names[:16])
    seen = runner.run(pipeline(stage("a", counted, step("big", secrets=names))))
    assert runner.text_of(seen.steps["a/fits"]) == ["16"]
    assert seen.steps["a/big"].reason == "Its secrets take more than 1048576 bytes together."


def test_a_variable_given_at_the_start_does_not_take_the_place_of_a_secret(runner: Engine) -> None:
    definition = pipeline(stage("a", step("s", '[ "$TOKEN" = mine ] && echo mine || echo kept', secrets=["TOKEN"])))
    seen = runner.run(definition, variables={"TOKEN": "mine"})
    assert runner.text_of(seen.steps["a/s"]) == ["kept"]


def test_a_secret_is_filled_in_nowhere(runner: Engine) -> None:
    seen = runner.run(
        pipeline(stage("a", step("s", secrets=["TOKEN"], condition="TOKEN"), step("t", condition="${TOKEN} == ''")))
    )
    assert seen.step_statuses == {"a/s": "skipped", "a/t": "succeeded"}


def test_a_value_that_the_key_does_not_open_fails_the_stage(runner: Engine, settings: Settings, tmp_path: Path) -> None:
    tools = make_tools(settings, tmp_path, secret_key="another key, which is long enough as well")
    seen = Engine(runner.database, tools, runner.workspace).run(pipeline(stage("a", step("s", secrets=["TOKEN"]))))
    assert (seen.stages["a"].error or {})["code"] == "SECRET_UNREADABLE"
    assert seen.step_statuses == {"a/s": "skipped"}


@pytest.mark.parametrize("sandbox", ["auto", "plain"])
def test_a_value_is_on_no_command_line(runner: Engine, settings: Settings, tmp_path: Path, sandbox: str) -> None:
    tools = make_tools(settings, tmp_path, sandbox=sandbox)
    ended = Event()
    with ThreadPoolExecutor(1) as pool:
        watched = pool.submit(command_lines_until, ended)
        try:
            Engine(runner.database, tools, runner.workspace).run(
                pipeline(stage("a", step("s", "sleep 0.731", secrets=["TOKEN"])))
            )
        finally:
            ended.set()
    seen = watched.result()
    assert any("0.731" in line for line in seen)
    assert [line for line in seen if "s3cr" in line] == []


def command_lines_until(ended: Event) -> set[str]:
    """All command lines of this machine while something goes on."""
    seen = set()
    while not ended.is_set():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        time.sleep(0.05)
    return seen
