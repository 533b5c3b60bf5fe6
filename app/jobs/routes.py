"""The job's routes: list, read (or wait), follow, cancel, retry; failures grouped, many moved at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import (
    Blueprint,
    EventSchema,
    Reply,
    accepted,
    load,
    open_stream,
    principal,
    requires,
    transaction,
    wants_json,
)
from app.jobs import queries, service
from app.jobs.bulk import accept_bulk, permission_for, preview
from app.jobs.history import changes_of
from app.jobs.metrics import read_metrics
from app.jobs.models import FINAL, Job, JobChange
from app.jobs.schemas import (
    AcceptedJobSchema,
    BulkPreviewSchema,
    BulkSchema,
    FailureFilterSchema,
    FailureGroupSchema,
    JobChangeSchema,
    JobFilterSchema,
    JobSchema,
    WaitSchema,
)
from app.jobs.summary import FailureGroup, summarize_failures
from app.jobs.waiting import wait_for_change, with_position
from app.jobs.watching import watch_jobs
from app.kernel.errors import Forbidden
from app.kernel.handover import StreamRequest
from app.kernel.intents import INTENTS, Intent
from app.kernel.principal import places_of
from app.kernel.stream import delivered, events_after

ENDS = tuple(f"job.{status}" for status in FINAL)

blueprint = Blueprint("jobs", description="Long work: what every 202 promises")
blueprint.record_once(lambda state: watch_jobs(state.app))
blueprint.tells_metrics(read_metrics)


@blueprint.route("/jobs")
class Jobs(MethodView):
    """The jobs the caller may see."""

    @blueprint.paged(
        JobSchema,
        filters=JobFilterSchema,
        sort={"created_at": Job.created_at, "finished_at": Job.finished_at},
        default="-created_at",
        count_cap=1000,
    )
    @requires("jobs:read")
    def get(self, filters: dict[str, Any]) -> Select[Job]:
        """List jobs, newest first."""
        return queries.filter_jobs(queries.visible_jobs(principal()), filters)


@blueprint.route("/jobs/failures")
class Failures(MethodView):
    """What went wrong lately."""

    @blueprint.arguments(FailureFilterSchema, location="query")
    @blueprint.response(200, FailureGroupSchema(many=True))
    @requires("jobs:read")
    def get(self, query: dict[str, Any]) -> list[FailureGroup]:
        """Group the failures since a moment by fingerprint, the most frequent first."""
        since, limit = query.pop("since", None), query.pop("limit")
        jobs = queries.filter_jobs(queries.visible_jobs(principal()), query)
        with transaction() as session:
            return summarize_failures(session, jobs, since, limit)


@blueprint.route("/jobs/bulk")
class Bulk(MethodView):
    """Many jobs at once."""

    @blueprint.arguments(BulkSchema)
    @blueprint.response(202, AcceptedJobSchema)
    @blueprint.response(200, BulkPreviewSchema, description="With `dry_run`: what would be moved")
    @requires("jobs:read")
    def post(self, body: dict[str, Any]) -> Reply:
        """Retry or cancel, by a job of its own, the jobs that match now and that you may retry or cancel."""
        action, filters, caller = body["action"], body["filter"], principal()
        if not caller.permits(permission_for(action)):
            raise Forbidden(required_permission=permission_for(action))
        with transaction() as session:
            if body["dry_run"]:
                return Reply(preview(session, action, filters, caller), 200, schema=BulkPreviewSchema())
            job = accept_bulk(session, action, filters, caller, body["rate"])
        return accepted(job, job.id)


@blueprint.route("/jobs/<uuid:job_id>")
class OneJob(MethodView):
    """One job."""

    @blueprint.arguments(WaitSchema, location="query")
    @blueprint.response(200, JobSchema)
    @requires("jobs:read")
    def get(self, query: dict[str, Any], job_id: UUID) -> Job:
        """Read a job; with `wait` the reply is held until it changes or ends."""
        with transaction() as session:
            job = load(session, Job, job_id)
        return with_position(wait_for_change(job, query["wait"]))


@blueprint.route("/jobs/<uuid:job_id>/events")
class JobEvents(MethodView):
    """What happened to one job."""

    @blueprint.response(200, EventSchema(many=True))
    @blueprint.streams
    @requires("jobs:read")
    def get(self, job_id: UUID) -> Any:
        """Follow a job by server-sent events, or list its history with `Accept: application/json`."""
        with transaction() as session:
            job = load(session, Job, job_id)
            if wants_json():
                events = session.execute(events_after(job.topic, 0, limit=1000)).scalars()
                return [delivered(event).as_json() for event in events]
        return open_stream(StreamRequest("events", (job.topic,), ENDS, places_of(job)))


@blueprint.route("/jobs/<uuid:job_id>/history")
class JobHistory(MethodView):
    """The changes of one job's status."""

    @blueprint.response(200, JobChangeSchema(many=True))
    @requires("jobs:read")
    def get(self, job_id: UUID) -> Sequence[JobChange]:
        """List every change of the job's status: when, who or which worker, and why."""
        with transaction() as session:
            load(session, Job, job_id)
            return session.execute(changes_of(job_id)).scalars().all()


@blueprint.route("/jobs/<uuid:job_id>/cancel")
class JobCancel(MethodView):
    """Cancelling."""

    @blueprint.response(202, AcceptedJobSchema)
    @requires("jobs:cancel")
    def post(self, job_id: UUID) -> Reply:
        """Cancel a job; running work is stopped within two seconds."""
        with transaction() as session:
            job = load(session, Job, job_id)
            service.cancel(session, job, principal().user_id)
        return accepted(job, job.id)


@blueprint.route("/jobs/<uuid:job_id>/retry")
class JobRetry(MethodView):
    """Retrying."""

    @blueprint.response(202, AcceptedJobSchema)
    @blueprint.refuses(422)
    @requires("jobs:retry")
    def post(self, job_id: UUID) -> Reply:
        """Queue a failed or cancelled job again."""
        with transaction() as session:
            job = load(session, Job, job_id)
            service.retry(session, job, INTENTS.get(job.kind, Intent).max_attempts, principal().user_id)
        return accepted(job, job.id)
