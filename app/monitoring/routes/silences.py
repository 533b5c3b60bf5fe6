"""Silences and maintenance windows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, principal, requires, transaction
from app.monitoring.alerting import rules
from app.monitoring.alerting.queries import visible_silences
from app.monitoring.models import Silence
from app.monitoring.routes.base import blueprint, find_place, take_place
from app.monitoring.schemas.alerts import (
    SilenceChange,
    SilenceCreation,
    SilenceFilters,
    SilenceReplacement,
    SilenceSchema,
)

SORT = {"created_at": Silence.created_at, "starts_at": Silence.starts_at, "ends_at": Silence.ends_at}


@blueprint.route("/silences")
class Silences(MethodView):
    """Silences of all organizations."""

    @blueprint.paged(SilenceSchema, sort=SORT, default="-created_at", filters=SilenceFilters)
    @requires("alerts:read")
    def get(self, filters: dict[str, Any]) -> Select[Silence]:
        """The silences that the caller may read"""
        return visible_silences(principal(), filters)

    @blueprint.arguments(SilenceCreation)
    @blueprint.response(201, SilenceSchema)
    @requires("alerts:write")
    def post(self, body: dict[str, Any]) -> Silence:
        """Mute alerts for a time, by their labels; a `maintenance` may repeat daily or weekly"""
        named = take_place(body)
        with transaction() as session:
            return rules.make_silence(session, find_place(session, named), principal(), body)


@blueprint.route("/silences/<uuid:silence_id>")
class OneSilence(MethodView):
    """A silence."""

    @blueprint.response(200, SilenceSchema)
    @requires("alerts:read")
    def get(self, silence_id: UUID) -> Silence:
        """A silence"""
        with transaction() as session:
            return load(session, Silence, silence_id)

    @blueprint.arguments(SilenceReplacement)
    @blueprint.response(200, SilenceSchema)
    @requires("alerts:write")
    def put(self, body: dict[str, Any], silence_id: UUID) -> Silence:
        """Replace a silence"""
        return _change(body, silence_id)

    @blueprint.arguments(SilenceChange)
    @blueprint.response(200, SilenceSchema)
    @requires("alerts:write")
    def patch(self, body: dict[str, Any], silence_id: UUID) -> Silence:
        """Change some of a silence"""
        return _change(body, silence_id)

    @blueprint.response(204)
    @requires("alerts:write")
    def delete(self, silence_id: UUID) -> None:
        """End a silence; it stays to be read, for the stories that name it"""
        with transaction() as session:
            rules.end_silence(session, load(session, Silence, silence_id, for_update=True))


def _change(body: dict[str, Any], silence_id: UUID) -> Silence:
    with transaction() as session:
        return rules.change_silence(session, load(session, Silence, silence_id, for_update=True), body)
