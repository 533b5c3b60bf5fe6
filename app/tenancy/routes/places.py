"""Workspaces on clusters: suspended and resumed, entered, and looked at."""

from __future__ import annotations

import threading
import time
from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from sqlalchemy import Select, select

from app.http import Reply, accepted, load, platform, principal, requires, transaction
from app.jobs import Job
from app.kernel.errors import Unavailable
from app.tenancy import courses
from app.tenancy.kubeconfigs import ask_for_kubeconfig, find_kubeconfig
from app.tenancy.models import SpaceRepair, Workspace
from app.tenancy.placing import abandon_place, change_place
from app.tenancy.routes.workspaces import show, workspaces
from app.tenancy.schemas.provisioning import Repair, ResourceUsage
from app.tenancy.schemas.workspaces import WorkspaceDetail
from app.tenancy.usage import usage_of_workspace

YAML = "application/yaml"
LOOK_SECONDS = 0.1
LONGEST_SECONDS = 10.0
WAITERS = threading.BoundedSemaphore(4)
SORT = {"created_at": SpaceRepair.created_at}


def _begin(workspace_id: UUID, operation: str) -> Reply:
    with transaction() as session:
        workspace = load(session, Workspace, workspace_id, for_update=True)
        begun = change_place(session, workspace, operation, principal().user_id)
        return accepted(show(session, workspace), begun.job_id)


@workspaces.route("/workspaces/<uuid:workspace_id>/suspend")
class Suspension(MethodView):
    """Suspending."""

    @workspaces.response(202, WorkspaceDetail)
    @requires("workspaces:write")
    def post(self, workspace_id: UUID) -> Reply:
        """Scale all that runs in a workspace to nothing, remembering how much there was, and let nothing begin"""
        return _begin(workspace_id, courses.SUSPEND)


@workspaces.route("/workspaces/<uuid:workspace_id>/resume")
class Resumption(MethodView):
    """Resuming."""

    @workspaces.response(202, WorkspaceDetail)
    @requires("workspaces:write")
    def post(self, workspace_id: UUID) -> Reply:
        """Scale what ran in a suspended workspace back to what it was"""
        return _begin(workspace_id, courses.RESUME)


@workspaces.route("/workspaces/<uuid:workspace_id>/upgrade")
class Upgrade(MethodView):
    """Upgrading."""

    @workspaces.response(202, WorkspaceDetail)
    @requires("workspaces:write")
    def post(self, workspace_id: UUID) -> Reply:
        """Bring what the platform keeps in a workspace's namespace up to what this version makes"""
        return _begin(workspace_id, courses.UPGRADE)


@workspaces.route("/workspaces/<uuid:workspace_id>/abandon")
class Abandonment(MethodView):
    """Abandoning."""

    @workspaces.response(204)
    @workspaces.refuses(409)
    @requires("workspaces:delete")
    def post(self, workspace_id: UUID) -> Reply:
        """Delete a workspace whose cluster does not answer any more, and leave what is there"""
        with transaction() as session:
            abandon_place(session, load(session, Workspace, workspace_id, for_update=True))
            return Reply(None, 204)


@workspaces.route("/workspaces/<uuid:workspace_id>/kubeconfig")
class Kubeconfig(MethodView):
    """The caller's kubeconfig."""

    @workspaces.raw(YAML)
    @workspaces.refuses(409)
    @requires("workspaces:read")
    def get(self, workspace_id: UUID) -> Response:
        """A kubeconfig for the caller, with the rights they have in the workspace and a token that soon expires; it
        ends with the membership"""
        job_id, deadline = None, time.monotonic() + LONGEST_SECONDS
        while True:
            text, job_id, ended = _look(workspace_id, job_id)
            if text is not None:
                return Response(text, content_type=YAML)
            _wait_or_refuse(job_id, ended, deadline)


def _look(workspace_id: UUID, job_id: UUID | None) -> tuple[str | None, UUID, bool]:
    """Return the kubeconfig, or the job that fetches it and whether that has ended without one."""
    with transaction() as session:
        workspace = load(session, Workspace, workspace_id)
        ended = job_id is not None and session.get_one(Job, job_id).is_final
        text = find_kubeconfig(session, platform().vault, workspace, principal())
        if text is None and job_id is None:
            job_id = ask_for_kubeconfig(session, workspace, principal())
        return text, job_id or workspace_id, ended


def _wait_or_refuse(job_id: UUID, ended: bool, deadline: float) -> None:
    """Hold the reply a little, for few callers at once: each of them takes a thread."""
    if ended or time.monotonic() > deadline or not WAITERS.acquire(blocking=False):
        why = "could not be fetched" if ended else "is still being fetched"
        raise Unavailable(f"The kubeconfig {why}; try again.", headers={"Retry-After": "2"}, job_id=str(job_id))
    try:
        time.sleep(LOOK_SECONDS)
    finally:
        WAITERS.release()


@workspaces.route("/workspaces/<uuid:workspace_id>/resource-usage")
class WorkspaceUsage(MethodView):
    """What a workspace uses."""

    @workspaces.response(200, ResourceUsage)
    @workspaces.refuses(409)
    @requires("workspaces:read")
    def get(self, workspace_id: UUID) -> dict[str, Any]:
        """What a workspace's namespaces use of its plan, as its cluster said it last"""
        with transaction() as session:
            return usage_of_workspace(session, load(session, Workspace, workspace_id))


@workspaces.route("/workspaces/<uuid:workspace_id>/repairs")
class Repairs(MethodView):
    """What was repaired."""

    @workspaces.paged(Repair, sort=SORT, default="-created_at")
    @requires("workspaces:read")
    def get(self, workspace_id: UUID) -> Select[SpaceRepair]:
        """What was found changed or missing in a workspace's namespaces, and was set right"""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        return _repairs_of(workspace_id)


def _repairs_of(workspace_id: UUID) -> Select[SpaceRepair]:
    return select(SpaceRepair).where(SpaceRepair.workspace_id == workspace_id)
