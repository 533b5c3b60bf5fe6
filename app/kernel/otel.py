"""The tracer that tells OpenTelemetry. Imported only where tracing is switched on: the SDK takes time and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.kernel.tracing import Kind, Span

KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "consumer": SpanKind.CONSUMER,
}
# What OpenTelemetry has a word for; the rest is `headrace.*`.
CONVENTIONAL = {
    "method": "http.request.method",
    "route": "http.route",
    "status_code": "http.response.status_code",
    "error": "error.type",
    "queue": "messaging.destination.name",
}

_w3c = TraceContextTextMapPropagator()


class OpenTelemetry:
    """Tells spans to exporters, in batches and from a thread of its own: one that is away keeps no work waiting."""

    def __init__(self, service: str, process: str, exporters: list[SpanExporter]) -> None:
        resource = Resource.create({"service.name": service, "headrace.process": process})
        self._provider = TracerProvider(resource=resource)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("headrace")

    @contextmanager
    def span(self, name: str, kind: Kind, attributes: dict[str, Any]) -> Iterator[Span]:
        """Open a span. Of an error it keeps the code alone: messages may quote what was secret."""
        with self._tracer.start_as_current_span(
            name,
            kind=KINDS[kind],
            attributes=_named(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            told = _Told(opened)
            try:
                yield told
            except Exception as error:
                told.fail(str(getattr(error, "code", None) or type(error).__name__))
                raise

    @contextmanager
    def continued(self, traceparent: str) -> Iterator[None]:
        """Belong to another process's trace; a name that is none begins a trace of its own."""
        before = context.attach(_w3c.extract({"traceparent": traceparent}))
        try:
            yield
        finally:
            context.detach(before)

    def traceparent(self) -> str | None:
        """Return the current span's name."""
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        return carrier.get("traceparent")

    def trace_id(self) -> str | None:
        """Return the current trace's id."""
        current = trace.get_current_span().get_span_context()
        return format(current.trace_id, "032x") if current.is_valid else None

    def close(self) -> None:
        """Tell what has not been told yet."""
        self._provider.shutdown()


class _Told:
    def __init__(self, opened: trace.Span) -> None:
        self._opened = opened

    def note(self, **attributes: Any) -> None:
        self._opened.set_attributes(_named(attributes))

    def rename(self, name: str) -> None:
        self._opened.update_name(name)

    def fail(self, code: str) -> None:
        self._opened.set_status(Status(StatusCode.ERROR))
        self.note(error=code)


def _named(attributes: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    return {
        CONVENTIONAL.get(name, f"headrace.{name}"): value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in attributes.items()
        if value is not None
    }
