"""Whether a process tells OpenTelemetry what it does. Off, unless the standard variables name an exporter or a place.

What is not a setting here (sampling, headers, batches, resource attributes) the SDK reads for itself, as
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ says.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from app.kernel.tracing import trace_with
from config.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from app.kernel.otel import OpenTelemetry

log = logging.getLogger(__name__)

NONE, OTLP, CONSOLE = "none", "otlp", "console"


def chosen_exporters(settings: Settings) -> list[str]:
    """Return the exporters to tell: those named, or OTLP when only its place is; what is not known is passed over."""
    if settings.otel_sdk_disabled:
        return []
    has_place = settings.otel_exporter_otlp_endpoint or settings.otel_exporter_otlp_traces_endpoint
    named = settings.otel_traces_exporter or (OTLP if has_place else NONE)
    found = list(dict.fromkeys(name.strip().lower() for name in named.split(",")))
    for name in set(found) - {NONE, OTLP, CONSOLE}:
        log.warning("there is no exporter of traces of this name", extra={"exporter": name})
    return [name for name in found if name in (OTLP, CONSOLE)]


def set_up_tracing(settings: Settings, process: str) -> OpenTelemetry | None:
    """Switch tracing on in this process, if it is wanted, and return what to close at its end.

    To be called after a fork, never before: the thread that tells is of one process.
    """
    chosen = chosen_exporters(settings)
    if not chosen:
        return None
    from app.kernel.otel import OpenTelemetry

    tracer = OpenTelemetry(settings.otel_service_name, process, [_exporter(name) for name in chosen])
    trace_with(tracer)
    return tracer


def _exporter(name: str) -> SpanExporter:
    if name == CONSOLE:
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
