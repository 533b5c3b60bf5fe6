"""Step logs: as JSON, as plain text, or live."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any
from uuid import UUID

from flask import Response, request
from flask.views import MethodView

from app.http import load, open_stream, platform, requires, transaction
from app.kernel.errors import NotFound
from app.kernel.handover import StreamRequest
from app.kernel.principal import places_of
from app.kernel.store import BlobMissing, BlobStore
from app.pipelines.log_format import text_of
from app.pipelines.logs import LogReader, find_step
from app.pipelines.models import Execution, Step
from app.pipelines.routes.base import blueprint
from app.pipelines.schemas import LogQuerySchema, LogSchema


@blueprint.route("/executions/<uuid:execution_id>/logs/<stage>/<step>")
class StepLogs(MethodView):
    """The log of one step."""

    @blueprint.arguments(LogQuerySchema, location="query")
    @blueprint.response(200, LogSchema)
    @blueprint.alt_response(200, content_type="text/plain", description="The whole log as it was written")
    @blueprint.streams
    @requires("executions:read")
    def get(self, query: dict[str, Any], execution_id: UUID, stage: str, step: str) -> Any:
        """Read a step's log: JSON lines, raw text with `Accept: text/plain`, live with `follow=true`."""
        with transaction() as session:
            execution = load(session, Execution, execution_id)
            found = find_step(session, execution, stage, step)
        if query["follow"]:
            return open_stream(_asked(execution, found, query))
        try:
            return _as_text(found, query["attempt"]) if _wants_text() else _as_lines(found, query)
        except BlobMissing as error:
            raise NotFound("A part of this log is not in the store any more.") from error


def _asked(execution: Execution, step: Step, query: dict[str, Any]) -> StreamRequest:
    """Return what is to be streamed: all of the newest attempt, or what follows the place that was asked for."""
    attempt = query["attempt"] or (step.attempt if query["after_seq"] else None)
    start = f"{attempt}-{query['after_seq']}" if attempt else None
    return StreamRequest("log", (f"log:{step.id}",), (), places_of(execution), last_event_id=start)


def log_reader() -> LogReader:
    """Return a reader of the platform's log store."""
    return LogReader(platform().database, BlobStore(platform().log_store))


def _wants_text() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/plain"]) == "text/plain"


def _as_text(step: Step, attempt: int | None) -> Response:
    texts = map(text_of, log_reader().stream_chunks(step.id, attempt))
    # The first is read before the reply begins, while a fault can still become a refusal.
    return Response(chain(list(islice(texts, 1)), texts), content_type="text/plain; charset=utf-8")


def _as_lines(step: Step, query: dict[str, Any]) -> dict[str, Any]:
    reader = log_reader()
    if query["tail"] is not None:
        page = reader.read_tail(step.id, query["attempt"], query["tail"])
    else:
        page = reader.read(step.id, query["attempt"], query["after_seq"], query["limit"])
    return {
        "logs": [line.as_json() for line in page.lines],
        "has_more": not page.ended,
        "attempt": page.attempt,
        "status": page.status,
    }
