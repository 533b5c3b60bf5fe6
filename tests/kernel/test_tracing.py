"""Tracing: off until the standard variables switch it on, and then one trace over threads and processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.kernel.errors import Permanent
from app.kernel.tracing import continued, current_trace_id, current_traceparent, is_tracing, span, trace_with
from config.settings import Settings
from config.tracing import chosen_exporters, set_up_tracing
from tests.support.otlp import Collector, Taken, collecting


@contextmanager
def tracing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Collector, list[Taken]]]:
    """Trace while the block runs; what was taken is known after it."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        tracer = set_up_tracing(replace(settings, otel_exporter_otlp_endpoint=collector.endpoint), "tests")
        assert tracer
        try:
            yield collector, collector.spans
        finally:
            tracer.close()
            trace_with(None)


def test_switched_off_it_does_nothing(settings: Settings) -> None:
    assert set_up_tracing(settings, "tests") is None
    assert not is_tracing()
    with continued("00-" + "1" * 32 + "-" + "2" * 16 + "-01"), span("step", step="compile") as told:
        told.note(status="succeeded")
        told.rename("another")
        told.fail("STAGE_FAILED")
        assert (current_traceparent(), current_trace_id()) == (None, None)
    assert span("one") is span("two")


@pytest.mark.parametrize(
    ("set_to", "chosen"),
    [
        ({}, []),
        ({"otel_exporter_otlp_endpoint": "http://collector:4318"}, ["otlp"]),
        ({"otel_exporter_otlp_traces_endpoint": "http://collector:4318/v1/traces"}, ["otlp"]),
        ({"otel_traces_exporter": "otlp"}, ["otlp"]),
        ({"otel_traces_exporter": "console, otlp"}, ["console", "otlp"]),
        ({"otel_traces_exporter": "none", "otel_exporter_otlp_endpoint": "http://collector:4318"}, []),
        ({"otel_traces_exporter": "otlp", "otel_sdk_disabled": True}, []),
        ({"otel_traces_exporter": "pigeon"}, []),
    ],
)
def test_the_standard_variables_switch_it_on(settings: Settings, set_to: dict[str, object], chosen: list[str]) -> None:
    assert chosen_exporters(replace(settings, **set_to)) == chosen


def test_spans_reach_the_collector_with_their_parents(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with tracing(settings, monkeypatch) as (_, spans):
        with span("request", kind="server") as told:
            named = current_traceparent()
            told.rename("POST /jobs")
            told.note(method="POST", status_code=202, nothing=None)
        with continued(named), span("job tests.errand", kind="consumer", attempt=1):
            trace_id = current_trace_id()
    request, job = spans
    assert {taken.trace_id for taken in spans} == {trace_id}
    assert (request.name, request.parent_id) == ("POST /jobs", "")
    assert request.attributes == {"http.request.method": "POST", "http.response.status_code": 202}
    assert (job.name, job.parent_id, job.attributes) == ("job tests.errand", request.span_id, {"headrace.attempt": 1})
    assert request.resource["service.name"] == "headrace"
    assert request.resource["headrace.process"] == "tests"


def test_an_error_leaves_its_code_and_not_its_words(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with tracing(settings, monkeypatch) as (_, spans):
        with pytest.raises(Permanent), span("checkout"):
            raise Permanent("cannot clone https://user:hunter2@example.com/")
        with pytest.raises(ZeroDivisionError), span("step"):
            raise ZeroDivisionError("hunter2")
    assert [(taken.failed, taken.attributes["error.type"]) for taken in spans] == [
        (True, "PERMANENT_FAILURE"),
        (True, "ZeroDivisionError"),
    ]
    assert "hunter2" not in repr(spans)


@pytest.mark.parametrize("junk", ["", "junk", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-é-1-1"])
def test_a_name_that_is_none_begins_a_trace_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, junk: str
) -> None:
    with tracing(settings, monkeypatch) as (_, spans), continued(junk), span("request"):
        assert current_trace_id()
    assert [taken.parent_id for taken in spans] == [""]
