"""One attempt of a stage as a whole: signs of life, and its end."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from sqlalchemy.orm import Session

from app import jobs
from app.http import platform
from app.runners import ending
from app.runners.errors import AttemptOver
from app.runners.routes.base import ATTEMPT, by_runner, holding, machines
from app.runners.work_schemas import BeatAnswerSchema, BeatSchema, FinishSchema
from app.runners.working import Held, extend


@machines.route(f"{ATTEMPT}/heartbeat")
class Heartbeat(MethodView):
    """A sign of life."""

    @machines.arguments(BeatSchema)
    @machines.response(200, BeatAnswerSchema)
    @by_runner
    def post(self, body: dict[str, Any], **place: Any) -> dict[str, Any]:
        """Keep the attempt, tell how far it is, and hear whether it is to be cancelled"""
        lease = platform().runner_lease_seconds
        with holding(place) as (session, held):
            is_over = ending.end_overdue(session, held)
            if not is_over:
                extend(session, held, lease)
                _note_progress(session, held, body)
        if is_over:
            raise AttemptOver("The attempt had to end, and did not.")
        return {"cancel": held.job.cancel_requested, "lease_seconds": lease}


def _note_progress(session: Session, held: Held, body: dict[str, Any]) -> None:
    if body["phase"] or body["message"]:
        jobs.advance(session, held.job, phase=body["phase"], message=body["message"])


@machines.route(f"{ATTEMPT}/finish")
class Finish(MethodView):
    """The end."""

    @machines.arguments(FinishSchema)
    @machines.response(204)
    @by_runner
    def post(self, body: dict[str, Any], **place: Any) -> None:
        """End the attempt; what it waited to begin begins in the same moment"""
        with holding(place) as (session, held):
            ending.finish(session, held, body)
