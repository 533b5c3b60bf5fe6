"""Who is left alone, and how to be."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, platform, principal, public, requires, transaction
from app.notifications import keeping, queries, schemas
from app.notifications.models import Suppression
from app.notifications.routes.base import blueprint, find_owner
from app.notifications.unsubscribing import unsubscribe

# The page has a button, and nothing else that could do anything.
ALONE = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Unsubscribe</title></head>
<body style="font-family: sans-serif; max-width: 30em; margin: 4em auto">
<form method="post"><p>Do you want no more of these mails?</p><button>Unsubscribe</button></form>
</body></html>
"""


@blueprint.route("/suppressions")
class Suppressions(MethodView):
    """Addresses that nothing is sent to."""

    @blueprint.paged(
        schemas.SuppressionSchema,
        sort={"created_at": Suppression.created_at},
        default="-created_at",
        filters=schemas.SuppressionFilters,
    )
    @requires("notifications:read")
    def get(self, filters: dict[str, Any]) -> Select[Suppression]:
        """The addresses that nothing is sent to, and why"""
        return queries.visible_suppressions(principal(), filters)

    @blueprint.arguments(schemas.SuppressionOrder)
    @blueprint.response(201, schemas.SuppressionSchema)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def post(self, body: dict[str, Any]) -> Suppression:
        """Let nothing more be sent to an address"""
        with transaction() as session:
            owner = find_owner(session, body.pop("organization_id", None))
            return keeping.suppress(session, owner, body["address"])


@blueprint.route("/suppressions/<uuid:suppression_id>")
class OneSuppression(MethodView):
    """An address that nothing is sent to."""

    @blueprint.response(200, schemas.SuppressionSchema)
    @requires("notifications:read")
    def get(self, suppression_id: UUID) -> Suppression:
        """Why nothing is sent to an address"""
        with transaction() as session:
            return load(session, Suppression, suppression_id)

    @blueprint.response(204)
    @requires("notifications:write")
    def delete(self, suppression_id: UUID) -> None:
        """Let mails go to an address again"""
        with transaction() as session:
            session.delete(load(session, Suppression, suppression_id, for_update=True))


@blueprint.route("/unsubscribe/<uuid:recipient_id>/<mark>")
class Unsubscription(MethodView):
    """What the headers of a mail lead to."""

    @blueprint.raw("text/html")
    @public
    def get(self, recipient_id: UUID, mark: str) -> Response:  # noqa: ARG002 - the path has them
        """Ask; following the link changes nothing"""
        return Response(PAGE, mimetype="text/html", headers={"Content-Security-Policy": ALONE})

    @blueprint.raw("text/plain")
    @public
    def post(self, recipient_id: UUID, mark: str) -> Response:
        """Unsubscribe the mail's recipient, as RFC 8058 has it"""
        with transaction() as session:
            unsubscribe(session, platform().vault, recipient_id, mark)
        return Response("You get no more of these mails.\n", mimetype="text/plain")
