"""The routes by which the harness asks for its jobs and reads the ledger."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import fields, validate
from sqlalchemy import Select, select

from app import jobs
from app.http import Blueprint, Reply, Schema, accepted, principal, requires, transaction
from tests.faults.room.intents import TRIALS
from tests.faults.room.ledger import Entry

blueprint = Blueprint("faults", description="Work of the fault harness")

blueprints = (blueprint,)


class TrialSchema(Schema):
    """A job to accept."""

    kind = fields.String(required=True, validate=validate.OneOf(list(TRIALS)))
    ref = fields.String(required=True)
    seconds = fields.Float(load_default=0.0, validate=validate.Range(0, 3600))


class EntrySchema(Schema):
    """An entry of the ledger."""

    ref = fields.String()
    job_id = fields.UUID()
    attempt = fields.Integer()


@blueprint.route("/trials")
class Trials(MethodView):
    """Jobs of the load."""

    @blueprint.arguments(TrialSchema)
    @blueprint.response(202, TrialSchema)
    @requires()
    def post(self, body: dict[str, Any]) -> Reply:
        """Accept a job."""
        intent = TRIALS[body["kind"]](body["ref"], body["seconds"])
        with transaction() as session:
            job_id: UUID = jobs.accept(session, intent, created_by=principal().user_id)
        return accepted(body, job_id)


@blueprint.route("/ledger")
class LedgerEntries(MethodView):
    """The ledger."""

    @blueprint.paged(EntrySchema, sort={"id": Entry.id}, default="id")
    @requires()
    def get(self) -> Select[Entry]:
        """List all entries."""
        return select(Entry)
