"""Forecasts: when disks, memory and quotas will be full."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from app.http import principal, requires, transaction
from app.kernel.clock import utc_now
from app.monitoring import FILLING_KINDS, Outlook, choose_outlooks, own_organization, read_outlooks, series_in
from app.sre.routes.base import blueprint
from app.sre.schemas.forecasts import ForecastArguments, ForecastSchema

DAY = 86_400.0


@blueprint.route("/sre/forecasts")
class Forecasts(MethodView):
    """What fills up."""

    @blueprint.arguments(ForecastArguments, location="query")
    @blueprint.response(200, ForecastSchema(many=True))
    @requires("sre:read")
    def get(self, asked: dict[str, Any]) -> list[Outlook]:
        """When disks, memory and quotas will be full, from the last two weeks; the most pressing first

        Each has an interval that holds the moment in four of five cases.
        """
        kinds = (asked["kind"],) if "kind" in asked else FILLING_KINDS
        within = asked["within_days"] * DAY if "within_days" in asked else None
        with transaction() as session:
            rows = series_in(principal(), own_organization(session, asked), asked)
            outlooks = read_outlooks(session, rows, utc_now().timestamp(), kinds)
        return choose_outlooks(outlooks, asked.get("state"), within)
