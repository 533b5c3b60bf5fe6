"""The textbook's way to accept work: Flask, flask-smorest, Flask-JWT-Extended, Flask-Limiter, SQLAlchemy's ORM, Celery.

`/jobs` writes the one row that every tutorial writes. `/pipelines/<id>/executions` does what ours does as seen from
outside: looks the caller and the pipeline up, writes execution, stages, steps and job, and replies with all of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.result import AsyncResult
from flask import Flask
from flask.views import MethodView
from flask_jwt_extended import JWTManager, create_access_token, current_user, jwt_required
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_smorest import Api, Blueprint, abort
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from bench.bare import tables
from bench.bare.tasks import celery, nothing, settings

app = Flask(__name__)
app.config.update(
    API_TITLE="textbook",
    API_VERSION="1",
    OPENAPI_VERSION="3.0.3",
    JWT_SECRET_KEY=settings.secret_key,
    JWT_ACCESS_TOKEN_EXPIRES=False,
    RATELIMIT_STORAGE_URI=settings.redis_url,
    RATELIMIT_STRATEGY="sliding-window-counter",
    RATELIMIT_HEADERS_ENABLED=True,
)
jwt = JWTManager(app)
limiter = Limiter(get_remote_address, app=app, default_limits=["900000000/hour", "90000000/minute"])
blueprint = Blueprint("textbook", "textbook")
sessions = tables.open_sessions(settings.database_url)


class StartSchema(Schema):
    """What a caller sends."""

    branch = fields.String(load_default="main")
    variables = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class JobSchema(Schema):
    """A job."""

    id = fields.UUID()
    kind = fields.String()
    status = fields.String()
    payload = fields.Dict()
    created_by = fields.UUID()
    created_at = fields.DateTime()


class StepSchema(Schema):
    """A step."""

    id = fields.UUID()
    name = fields.String()
    status = fields.String()
    position = fields.Integer()


class StageSchema(Schema):
    """A stage with its steps."""

    id = fields.UUID()
    name = fields.String()
    status = fields.String()
    position = fields.Integer()
    steps = fields.List(fields.Nested(StepSchema))


class ExecutionSchema(Schema):
    """An execution with its stages."""

    id = fields.UUID()
    job_id = fields.UUID()
    pipeline_id = fields.UUID()
    number = fields.Integer()
    status = fields.String()
    branch = fields.String()
    variables = fields.Dict()
    created_by = fields.UUID()
    created_at = fields.DateTime()
    stages = fields.List(fields.Nested(StageSchema))


@contextmanager
def committing() -> Iterator[Session]:
    """Open a session that commits."""
    with sessions() as session, session.begin():
        yield session


@jwt.user_lookup_loader
def _user(_headers: dict[str, Any], claims: dict[str, Any]) -> tables.User | None:
    with sessions() as session:
        return session.get(tables.User, uuid.UUID(claims["sub"]))


@blueprint.route("/jobs")
class Jobs(MethodView):
    """The tutorial's own route."""

    @jwt_required()
    @blueprint.arguments(StartSchema)
    @blueprint.response(202, JobSchema)
    def post(self, body: dict[str, Any]) -> tables.Job:
        """Write one row and send one message."""
        with committing() as session:
            job = tables.Job(kind="bare.nothing", payload=body, created_by=current_user.id)
            session.add(job)
        nothing.apply_async((str(job.id),), task_id=str(job.id))
        return job


@blueprint.route("/pipelines/<uuid:pipeline_id>/executions")
class Executions(MethodView):
    """What ours does."""

    @jwt_required()
    @blueprint.arguments(StartSchema)
    @blueprint.response(202, ExecutionSchema)
    def post(self, body: dict[str, Any], pipeline_id: uuid.UUID) -> tables.Execution:
        """Write an execution with its stages, steps and job, and send one message."""
        with committing() as session:
            pipeline = session.get(tables.Pipeline, pipeline_id, with_for_update=True)
            if pipeline is None or pipeline.owner_id != current_user.id:
                return abort(404)
            execution = tables.start(session, pipeline, body, current_user.id)
        nothing.apply_async((str(execution.id),), task_id=str(execution.job_id))
        return execution


@blueprint.route("/jobs/<task_id>")
class JobState(MethodView):
    """The tutorial's status page."""

    @jwt_required()
    def get(self, task_id: str) -> dict[str, Any]:
        """Ask Celery how a task is."""
        return {"id": task_id, "status": AsyncResult(task_id, app=celery).state}


@app.get("/health/ready")
@limiter.exempt
def ready() -> dict[str, str]:
    """Answer that it runs."""
    return {"status": "healthy"}


@app.post("/login/<user_id>")
@limiter.exempt
def log_in(user_id: str) -> dict[str, str]:
    """Let in whoever asks."""
    return {"token": create_access_token(user_id)}


Api(app).register_blueprint(blueprint)
