"""What people do with runners: let machines register, look at them, drain, disable and delete them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.http import load, platform, principal, requires, transaction
from app.jobs import RUNNERS, Job
from app.runners import registering
from app.runners.models import Runner, RunnerToken
from app.runners.routes.base import runners
from app.runners.schemas import (
    RunnerChangeSchema,
    RunnerDetailSchema,
    RunnerFilterSchema,
    RunnerSchema,
    TokenCreationSchema,
    TokenSchema,
    TokenShownSchema,
)
from app.tenancy import Organization, Workspace

SORT = {"created_at": Runner.created_at, "name": Runner.name, "last_seen_at": Runner.last_seen_at}
OF_ORGANIZATION, OF_WORKSPACE = "/organizations/<uuid:organization_id>", "/workspaces/<uuid:workspace_id>"


@runners.route(f"{OF_ORGANIZATION}/runners")
@runners.route(f"{OF_WORKSPACE}/runners", endpoint="WorkspaceRunners")
class Runners(MethodView):
    """The runners of an organization, or those of one workspace alone."""

    @runners.paged(RunnerSchema, sort=SORT, default="-created_at", filters=RunnerFilterSchema)
    @requires("runners:read")
    def get(
        self, filters: dict[str, Any], organization_id: UUID | None = None, workspace_id: UUID | None = None
    ) -> Select[Runner]:
        """List runners, newest first."""
        with transaction() as session:
            _place(session, organization_id, workspace_id)
        found = registering.select_placed(Runner, organization_id, workspace_id)
        if "label" in filters:
            found = found.where(Runner.labels.contains([filters["label"]]))
        return found.where(Runner.name.icontains(filters.get("search", ""), autoescape=True))


@runners.route("/runners/<uuid:runner_id>")
class OneRunner(MethodView):
    """One runner."""

    @runners.response(200, RunnerDetailSchema)
    @requires("runners:read")
    def get(self, runner_id: UUID) -> dict[str, Any]:
        """Read a runner, with the stages it has at hand."""
        with transaction() as session:
            return _show(session, load(session, Runner, runner_id))

    @runners.arguments(RunnerChangeSchema)
    @runners.response(200, RunnerDetailSchema)
    @requires("runners:write")
    def patch(self, body: dict[str, Any], runner_id: UUID) -> dict[str, Any]:
        """Change a runner: its name, its labels, what it takes; drain it, or disable it."""
        with transaction() as session:
            runner = load(session, Runner, runner_id, for_update=True)
            return _show(session, registering.change_runner(session, runner, body))

    @runners.response(204)
    @requires("runners:write")
    def delete(self, runner_id: UUID) -> None:
        """Delete a runner: its token is refused from now on, and what it has goes to others once its lease is over."""
        with transaction() as session:
            session.delete(load(session, Runner, runner_id, for_update=True))


@runners.route(f"{OF_ORGANIZATION}/runner-tokens")
@runners.route(f"{OF_WORKSPACE}/runner-tokens", endpoint="WorkspaceRunnerTokens")
class RunnerTokens(MethodView):
    """Tokens with which machines register."""

    @runners.paged(TokenSchema, sort={"created_at": RunnerToken.created_at}, default="-created_at")
    @requires("runners:read")
    def get(self, organization_id: UUID | None = None, workspace_id: UUID | None = None) -> Select[RunnerToken]:
        """List registration tokens, without their texts."""
        with transaction() as session:
            _place(session, organization_id, workspace_id)
        return registering.select_placed(RunnerToken, organization_id, workspace_id)

    @runners.arguments(TokenCreationSchema)
    @runners.response(201, TokenShownSchema)
    @requires("runners:write")
    def post(
        self, body: dict[str, Any], organization_id: UUID | None = None, workspace_id: UUID | None = None
    ) -> dict[str, Any]:
        """Make a registration token: whoever has it can be given the stages of its place, and their secrets."""
        with transaction() as session:
            place = _place(session, organization_id, workspace_id)
            token, text = registering.make_token(session, platform().vault, principal(), place, body)
            return {name: getattr(token, name) for name in TokenSchema().fields} | {"token": text}


@runners.route("/runner-tokens/<uuid:token_id>")
class OneRunnerToken(MethodView):
    """A registration token."""

    @runners.response(204)
    @requires("runners:write")
    def delete(self, token_id: UUID) -> None:
        """Delete a registration token; the runners it has registered stay."""
        with transaction() as session:
            session.delete(load(session, RunnerToken, token_id, for_update=True))


def _place(session: Session, organization_id: UUID | None, workspace_id: UUID | None) -> tuple[UUID, UUID | None]:
    """Return the organization, and the workspace if it is one, that the path names; raises as `load` does."""
    if workspace_id is not None:
        return load(session, Workspace, workspace_id).organization_id, workspace_id
    assert organization_id is not None  # noqa: S101 - one of the two is in every path
    load(session, Organization, organization_id)
    return organization_id, None


def _show(session: Session, runner: Runner) -> dict[str, Any]:
    at_hand = select(Job.id).where(Job.queue == RUNNERS, Job.worker == runner.worker, Job.lease_until.is_not(None))
    shown = {name: getattr(runner, name) for name in RunnerSchema().fields}
    return shown | {"jobs": session.scalars(at_hand.limit(registering.MOST_RUNNERS)).all()}
