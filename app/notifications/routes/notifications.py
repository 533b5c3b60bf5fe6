"""Notifications: sent, looked up, cancelled and tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Reply, accepted, load, principal, requires, transaction
from app.kernel.clock import utc_now
from app.notifications import analytics_schemas, counting, queries, schemas, service
from app.notifications.attachments import attachments_of
from app.notifications.models import Notification, Recipient
from app.notifications.routes.base import blueprint, find_owner

ONE = "/notifications/<uuid:notification_id>"
MONTH = timedelta(days=30)
SHOWN = list(schemas.NotificationSchema().fields)


@blueprint.route("/notifications")
class Notifications(MethodView):
    """All notifications."""

    @blueprint.paged(
        schemas.NotificationSchema,
        sort={"created_at": Notification.created_at},
        default="-created_at",
        filters=schemas.NotificationFilters,
    )
    @requires("notifications:read")
    def get(self, filters: dict[str, Any]) -> Select[Notification]:
        """The notifications that the caller may read"""
        return queries.visible_notifications(principal(), filters)

    @blueprint.arguments(schemas.NotificationOrder)
    @blueprint.response(202, schemas.NotificationSchema)
    @blueprint.refuses(404, 409)
    @requires("notifications:write")
    def post(self, body: dict[str, Any]) -> Reply:
        """Send a mail to one or to at most 10,000; one job sends all of them, now or at a time"""
        with transaction() as session:
            owner = find_owner(session, body.pop("organization_id", None))
            return accepted(*service.send(session, owner, body, body.pop("recipients", ()), principal().user_id))


@blueprint.route("/notifications/analytics")
class NotificationNumbers(MethodView):
    """How notifications have fared."""

    @blueprint.arguments(analytics_schemas.NotificationAnalyticsQuery, location="query")
    @blueprint.response(200, analytics_schemas.NotificationAnalytics)
    @requires("notifications:read")
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Count notifications and recipients of a time by what became of them"""
        end = query.get("end_date") or utc_now()
        start = query.get("start_date") or end - MONTH
        with transaction() as session:
            owner = find_owner(session, query.get("organization_id"))
            return counting.analyze(session, owner, start, end) | {"start_date": start, "end_date": end}


@blueprint.route(ONE)
class OneNotification(MethodView):
    """A notification."""

    @blueprint.response(200, schemas.NotificationDetail)
    @requires("notifications:read")
    def get(self, notification_id: UUID) -> dict[str, Any]:
        """A notification with how its recipients fare and its newest attempts"""
        with transaction() as session:
            return _detail(session, load(session, Notification, notification_id))

    @blueprint.response(204)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def delete(self, notification_id: UUID) -> None:
        """Delete a notification that has ended, with all that is known of it"""
        with transaction() as session:
            service.delete(session, load(session, Notification, notification_id, for_update=True))


@blueprint.route(f"{ONE}/recipients")
class NotificationRecipients(MethodView):
    """Whom it was to reach."""

    @blueprint.paged(
        schemas.RecipientSchema,
        sort={"address": Recipient.address},
        default="address",
        filters=schemas.RecipientFilters,
    )
    @requires("notifications:read")
    def get(self, filters: dict[str, Any], notification_id: UUID) -> Select[Recipient]:
        """The recipients of a notification, what became of each, and why"""
        with transaction() as session:
            load(session, Notification, notification_id)
        return queries.recipients_of(notification_id, filters)


@blueprint.route(f"{ONE}/cancel")
class NotificationCancel(MethodView):
    """Keeping it from those who wait."""

    @blueprint.response(200, schemas.NotificationSchema)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def post(self, notification_id: UUID) -> Notification:
        """Cancel a notification: whoever has not got it yet does not"""
        with transaction() as session:
            notification = load(session, Notification, notification_id)
            return service.cancel(session, notification, principal())


@blueprint.route(f"{ONE}/retry")
class NotificationRetry(MethodView):
    """Trying again."""

    @blueprint.response(202, schemas.NotificationSchema)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def post(self, notification_id: UUID) -> Reply:
        """Try those again whom a notification has not reached"""
        with transaction() as session:
            notification = load(session, Notification, notification_id, for_update=True)
            return accepted(notification, service.retry(session, notification, principal()))


def _detail(session: Session, notification: Notification) -> dict[str, Any]:
    shown = {name: getattr(notification, name) for name in (*SHOWN, "html", "text")}
    return shown | {
        "attachments": attachments_of(session, notification.id),
        "recipient_counts": queries.count_recipients(session, notification.id),
        "delivery_attempts": queries.newest_attempts(session, notification.id),
    }
