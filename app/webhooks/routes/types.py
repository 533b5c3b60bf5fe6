"""The types of events."""

from __future__ import annotations

from flask.views import MethodView

from app.http import requires
from app.webhooks.catalogue import EventType, list_types
from app.webhooks.log_schemas import EventTypeSchema
from app.webhooks.routes.base import blueprint


@blueprint.route("/event-types")
class EventTypes(MethodView):
    """What there are events of."""

    @blueprint.response(200, EventTypeSchema(many=True))
    @requires()
    def get(self) -> list[EventType]:
        """All types of events, each with the JSON Schema of what is sent and an example"""
        return list_types()
