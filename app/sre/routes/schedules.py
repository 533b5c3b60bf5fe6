"""Scans by the clock."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, principal, requires, transaction
from app.monitoring import find_place
from app.sre.models import ScanSchedule
from app.sre.queries import visible_schedules
from app.sre.routes.base import blueprint
from app.sre.schedules import change_schedule, make_schedule
from app.sre.schemas.scans import (
    ScheduleChange,
    ScheduleCreation,
    ScheduleFilters,
    ScheduleReplacement,
    ScheduleSchema,
)

SORT = {"created_at": ScanSchedule.created_at, "name": ScanSchedule.name}
PLACE = ("organization_id", "workspace_id", "cluster_id")


@blueprint.route("/sre/scan-schedules")
class ScanSchedules(MethodView):
    """Schedules of all organizations."""

    @blueprint.paged(ScheduleSchema, sort=SORT, default="-created_at", filters=ScheduleFilters)
    @requires("sre:read")
    def get(self, filters: dict[str, Any]) -> Select[ScanSchedule]:
        """The schedules that the caller may read"""
        return visible_schedules(principal(), filters)

    @blueprint.arguments(ScheduleCreation)
    @blueprint.response(201, ScheduleSchema)
    @requires("sre:write")
    def post(self, body: dict[str, Any]) -> ScanSchedule:
        """Scan stored series every so many seconds"""
        named = {name: body.pop(name) for name in PLACE if name in body}
        with transaction() as session:
            return make_schedule(session, find_place(session, named), principal(), body)


@blueprint.route("/sre/scan-schedules/<uuid:schedule_id>")
class OneScanSchedule(MethodView):
    """A schedule."""

    @blueprint.response(200, ScheduleSchema)
    @requires("sre:read")
    def get(self, schedule_id: UUID) -> ScanSchedule:
        """A schedule"""
        with transaction() as session:
            return load(session, ScanSchedule, schedule_id)

    @blueprint.arguments(ScheduleReplacement)
    @blueprint.response(200, ScheduleSchema)
    @requires("sre:write")
    def put(self, body: dict[str, Any], schedule_id: UUID) -> ScanSchedule:
        """Replace a schedule"""
        return _change(body, schedule_id)

    @blueprint.arguments(ScheduleChange)
    @blueprint.response(200, ScheduleSchema)
    @requires("sre:write")
    def patch(self, body: dict[str, Any], schedule_id: UUID) -> ScanSchedule:
        """Change some of a schedule"""
        return _change(body, schedule_id)

    @blueprint.response(204)
    @requires("sre:write")
    def delete(self, schedule_id: UUID) -> None:
        """Delete a schedule; its scans stay"""
        with transaction() as session:
            session.delete(load(session, ScanSchedule, schedule_id, for_update=True))


def _change(body: dict[str, Any], schedule_id: UUID) -> ScanSchedule:
    with transaction() as session:
        return change_schedule(session, load(session, ScanSchedule, schedule_id, for_update=True), body)
