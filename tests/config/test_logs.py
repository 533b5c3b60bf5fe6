"""Log lines: one for each record, with what its thread works for, in both forms."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.kernel import context
from app.kernel.context import working_for
from app.kernel.ids import new_id
from config.logs import set_up_logging
from config.settings import Settings

log = logging.getLogger("tests.logs")


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    context.begin()


def speak(settings: Settings, form: Any) -> None:
    """Set logging up inside of the test: pytest gives each phase a standard error of its own."""
    set_up_logging(replace(settings, log_format=form, log_level="INFO"), "worker")


def test_each_line_tells_the_request_the_job_and_the_attempt(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    speak(settings, "json")
    job_id = new_id()
    with working_for(request_id="req_1", job_id=job_id, attempt=2):
        log.info("step %d", 3, extra={"step": "compile"})
    log.info("idle")
    first, second = map(json.loads, capfd.readouterr().err.splitlines())
    assert first["message"] == "step 3"
    assert first["process"] == "worker"
    assert (first["request_id"], first["job_id"], first["attempt"]) == ("req_1", str(job_id), 2)
    assert first["step"] == "compile"
    assert not {"request_id", "job_id", "attempt"} & set(second)


def test_what_a_record_was_given_stays(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    speak(settings, "json")
    with working_for(job_id="mine"):
        log.info("about another", extra={"job_id": "another"})
    assert json.loads(capfd.readouterr().err)["job_id"] == "another"


def test_a_trace_lies_in_its_record(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    speak(settings, "json")
    try:
        raise LookupError("nothing\nthere")
    except LookupError:
        log.exception("it failed")
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert "LookupError: nothing" in json.loads(line)["trace"]


def test_the_text_form_tells_the_same(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    speak(settings, "text")
    with working_for(request_id="req_1", attempt=2):
        log.warning("it waits", extra={"queue": "ci"})
    assert capfd.readouterr().err == "WARNING tests.logs: it waits queue=ci request_id=req_1 attempt=2\n"


@pytest.mark.parametrize("forged", ["fine\nERROR   app.jobs: forged", "fine\r\nERROR   app.jobs: forged"])
def test_nothing_that_is_said_looks_like_another_line(
    settings: Settings, capfd: pytest.CaptureFixture[str], forged: str
) -> None:
    speak(settings, "text")
    log.info("it said %s", forged, extra={"name_of_it": forged})
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "\r" not in said


def test_values_with_spaces_are_told_from_other_fields(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    speak(settings, "text")
    log.info("it said", extra={"error": "no such job_id=7", "empty": ""})
    assert capfd.readouterr().err == 'INFO    tests.logs: it said error="no such job_id=7" empty=""\n'


def test_lines_go_to_standard_error_alone(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    speak(settings, "text")
    log.info("here")
    assert capfd.readouterr().out == ""
    assert logging.getLogger().handlers[0].stream is sys.stderr  # type: ignore[attr-defined]
