"""The steps of an attempt: they begin, print, and end."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask.views import MethodView

from app.http import platform, read_large, transaction
from app.kernel.errors import FieldError, Invalid
from app.kernel.store import BlobStore
from app.pipelines import Segment, decode_chunk, encode_chunk, log_key, start_step
from app.runners import working
from app.runners.routes.base import ATTEMPT, by_runner, current_runner, holding, machines, refuse_unheld
from app.runners.work_schemas import LogAnswerSchema, StepEndSchema, StepLogQuerySchema, StepStartedSchema

MOST_CHUNK: Final = 24 * 1024**2
LONGEST_LINE: Final = 64 * 1024
STEP: Final = f"{ATTEMPT}/steps/<uuid:step_id>"
CHUNK_DOC: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}
}


@machines.route(f"{STEP}/start")
class StepStart(MethodView):
    """The beginning of a step."""

    @machines.response(200, StepStartedSchema)
    @by_runner
    def post(self, step_id: UUID, **place: Any) -> dict[str, Any]:
        """Begin a step, and learn the number of its attempt"""
        with holding(place) as (session, held):
            step = working.step_of(session, held.stage, step_id)
            return {"attempt": start_step(session, held.job, step.id)}


@machines.route(f"{STEP}/finish")
class StepFinish(MethodView):
    """The end of a step."""

    @machines.arguments(StepEndSchema)
    @machines.response(204)
    @by_runner
    def post(self, body: dict[str, Any], step_id: UUID, **place: Any) -> None:
        """End a step, or have it queued to be run again"""
        with holding(place) as (session, held):
            working.end_step(session, held, step_id, body)


@machines.route(f"{STEP}/log")
class StepLog(MethodView):
    """The log of a step."""

    @machines.arguments(StepLogQuerySchema, location="query")
    @machines.response(200, LogAnswerSchema)
    @machines.doc(**CHUNK_DOC)
    @by_runner
    def post(self, query: dict[str, Any], step_id: UUID, **place: Any) -> dict[str, Any]:
        """Add lines to a log, numbered without a gap; sent again they change nothing. One JSON object a line:
        `{q: number of the first line, t: time, s: stdout|stderr|system, x: lines}`"""
        refuse_unheld(place)
        body = read_large(MOST_CHUNK)
        segments = _read(body)
        with transaction() as session:
            held = working.hold(session, current_runner(), place["job_id"], place["attempt"])
            step = working.step_of(session, held.stage, step_id)
            expected = working.next_line(session, step, query["attempt"])
            if fresh := working.renumber(segments, expected):
                working.reserve(session, held.stage, len(body), platform().runner_bytes)
        return {"next_seq": _add(step_id, query["attempt"], fresh, place) if fresh else expected}


def _read(body: bytes) -> list[Segment]:
    try:
        segments = decode_chunk(body)
    except ValueError:
        raise Invalid(errors=[FieldError("body", "Is no chunk of a log.")]) from None
    if any(len(line) > LONGEST_LINE for one in segments for line in one.text.split("\n")):
        raise Invalid(errors=[FieldError("body", f"Has a line of more than {LONGEST_LINE} characters.")])
    return segments


def _add(step_id: UUID, attempt: int, fresh: list[Segment], place: dict[str, Any]) -> int:
    """Store the bytes with no session open, then let them be seen; returns the number of the next line."""
    chunk = encode_chunk(fresh)
    key = log_key(step_id, attempt, fresh[0].first_seq)
    BlobStore(platform().log_store).put(key, chunk)
    with holding(place) as (session, held):
        step = working.step_of(session, held.stage, step_id)
        working.note_lines(session, step, attempt, fresh, len(chunk), key)
    return fresh[-1].first_seq + fresh[-1].lines
