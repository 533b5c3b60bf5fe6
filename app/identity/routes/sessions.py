"""What keeps an account safe: its password, its logins, its security log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView

from app.http import limit_rate, platform, principal, requires, transaction
from app.identity.accounts import change_password
from app.identity.logins import end_other_logins, end_own_login
from app.identity.models import LoginSession, SecurityEvent
from app.identity.queries import logins_of
from app.identity.routes.base import auth
from app.identity.routes.letting_in import origin
from app.identity.schemas import accounts as schemas
from app.identity.schemas import security
from app.identity.security_log import security_log_of


@auth.route("/auth/change-password")
class ChangePassword(MethodView):
    """The caller's password."""

    @auth.arguments(schemas.PasswordChange)
    @auth.response(204)
    @requires("account:write", own=True)
    def post(self, body: dict[str, Any]) -> None:
        """Replace the password; every other login of the account ends"""
        caller, database = principal(), platform().database
        limit_rate("login", caller.username)
        current, new = body["current_password"], body["new_password"]
        change_password(database, caller.user_id, caller.session_id, current, new, origin())


@auth.route("/auth/sessions")
class Sessions(MethodView):
    """The caller's logins."""

    @auth.paged(schemas.LoginSession, sort={"created_at": LoginSession.created_at}, default="-created_at")
    @requires("account:read", own=True)
    def get(self) -> Any:
        """The logins of this account that still work"""
        return logins_of(principal().user_id)


@auth.route("/auth/sessions/<uuid:session_id>")
class OneSession(MethodView):
    """One of the caller's logins."""

    @auth.response(204)
    @requires("account:write", own=True)
    def delete(self, session_id: UUID) -> None:
        """End a login; its tokens fail from the next request on"""
        with transaction() as session:
            end_own_login(session, principal().user_id, session_id, origin())


@auth.route("/auth/sessions/revoke-all")
class AllSessions(MethodView):
    """All of the caller's logins."""

    @auth.response(200, security.Revoked)
    @requires("account:write", own=True)
    def post(self) -> dict[str, int]:
        """End all logins of this account but the one this request comes from"""
        caller = principal()
        with transaction() as session:
            return {"revoked": end_other_logins(session, caller.user_id, caller.session_id, origin())}


@auth.route("/auth/security-log")
class SecurityLog(MethodView):
    """What has happened to the caller's account."""

    @auth.paged(
        security.SecurityEvent,
        sort={"created_at": SecurityEvent.created_at},
        default="-created_at",
        filters=security.SecurityFilters,
    )
    @requires("account:read", own=True)
    def get(self, filters: dict[str, Any]) -> Any:
        """Logins, failed logins and changes that concern the safety of this account"""
        return security_log_of(principal().user_id, filters.get("type"))
