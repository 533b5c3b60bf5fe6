"""What operators see of the platform itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.declaring import setting


@dataclass(frozen=True)
class ObservingSettings:
    """Logs, metrics and traces of the platform."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting("INFO", "least level that is logged")
    log_format: Literal["text", "json"] = setting("text", "form of the log lines")
    metrics_token: str = setting(
        "", "what Prometheus sends as bearer token to read `/metrics`; empty opens it in development alone", secret=True
    )
    otel_traces_exporter: str = setting("", "`otlp` or `console` switches traces on, `none` off")
    otel_exporter_otlp_endpoint: str = setting("", "the OpenTelemetry collector; naming it switches traces on")
    otel_exporter_otlp_traces_endpoint: str = setting("", "the same for traces alone, as a whole address")
    otel_sdk_disabled: bool = setting(False, "switches traces off, whatever else is set")
    otel_service_name: str = setting("headrace", "what traces call this installation")
