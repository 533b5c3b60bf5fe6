"""What is kept of each request that was answered: a count, a line of the log, a span. Never its query or its body."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from flask import g, request

from app.http.metrics import observe
from app.kernel.tracing import Span, continued, span

log = logging.getLogger(__name__)

SPAN = "headrace.span"
UNKNOWN = "(none)"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def note_answer(status: int, seconds: float) -> None:
    """Note that the current request was answered. Unknown paths share one name: callers must not make up series."""
    method = request.method if request.method in METHODS else "(other)"
    route = request.url_rule.rule if request.url_rule else UNKNOWN
    observe(method, route, status, seconds)
    _write_line(method, route, status, seconds)
    if told := request.environ.get(SPAN):
        _tell(told, method, route, status)


def _write_line(method: str, route: str, status: int, seconds: float) -> None:
    operation = g.get("operation")
    # What probes ask every few seconds would drown the rest.
    level = logging.DEBUG if operation is not None and not operation.limited else logging.INFO
    if not log.isEnabledFor(level):
        return
    said: dict[str, object] = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    if "principal" in g:
        said["caller_id"] = g.principal.user_id
    # Ids alone: another part of a path may be a token.
    said.update((name, value) for name, value in (request.view_args or {}).items() if isinstance(value, UUID))
    log.log(level, "answered", extra=said)


def _tell(told: Span, method: str, route: str, status: int) -> None:
    told.rename(f"{method} {route}")
    told.note(method=method, route=route, status_code=status, request_id=g.request_id)
    if status >= 500:
        told.fail(str(status))


def traced(application: Application) -> Application:
    """Return an application whose requests are spans, of the trace that a caller's `traceparent` names."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with continued(environ.get("HTTP_TRACEPARENT")), span("request", kind="server") as told:
            environ[SPAN] = told
            return application(environ, start_response)

    return serve
