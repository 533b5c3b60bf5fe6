"""Logins: register, log in, refresh, log out, and who the caller is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView

from app.http import Blueprint, Reply, limit_rate, platform, principal, public, requires, transaction
from app.identity.accounts import change_password, register
from app.identity.cookies import clear_refresh_cookie, read_refresh_cookie, set_refresh_cookie
from app.identity.errors import RegistrationClosed
from app.identity.logins import Login, Origin, end_logins, end_own_login, log_in, login_of, open_login, renew
from app.identity.models import LoginSession, User
from app.identity.passwords import hash_password
from app.identity.permissions import permissions_of
from app.identity.queries import logins_of
from app.identity.schemas import accounts as schemas
from app.identity.tokens import issue_token, set_up_tokens
from app.kernel.errors import AuthRequired, Refusal

auth = Blueprint("auth", description="schemas.Registration, logins and their tokens")
auth.record_once(lambda state: set_up_tokens(state.app))

LONGEST_AGENT = 255


@auth.route("/auth/register")
class Register(MethodView):
    """Accounts are made here."""

    @auth.arguments(schemas.Registration)
    @auth.response(201, schemas.SignedIn)
    @auth.refuses(403, 409)
    @public
    def post(self, body: dict[str, Any]) -> Reply:
        """Make an account, with a personal organization, and log it in"""
        if not platform().registration_open:
            raise RegistrationClosed
        limit_rate("register")
        password_hash = hash_password(body["password"])
        with transaction() as session:
            user = register(session, body["username"], body["email"], password_hash)
            login = open_login(session, user, _origin(), platform().refresh_token_seconds)
        return _let_in(login, in_body=body["delivery"] == schemas.BODY)


@auth.route("/auth/login")
class LogIn(MethodView):
    """Logins begin here."""

    @auth.arguments(schemas.Credentials)
    @auth.response(200, schemas.SignedIn)
    @auth.refuses(401, 403)
    @public
    def post(self, body: dict[str, Any]) -> Reply:
        """Log in with a username or an email address"""
        name = body.get("username") or body["email"]
        limit_rate("login", name)
        login = log_in(platform().database, name, body["password"], _origin(), platform().refresh_token_seconds)
        return _let_in(login, in_body=body["delivery"] == schemas.BODY)


@auth.route("/auth/refresh")
class Refresh(MethodView):
    """Logins are continued here."""

    @auth.arguments(schemas.Presented, required=False)
    @auth.response(200, schemas.SignedIn)
    @auth.refuses(401, 403)
    @public
    def post(self, body: dict[str, Any]) -> Reply:
        """Exchange a refresh token for a new access token and the next refresh token

        A token works once. The same one again within ten seconds, as after a double click or a lost reply, gets the
        same successor; later than that it is taken for stolen, and the whole login ends.
        """
        limit_rate("refresh")
        presented = body.get("refresh_token") or read_refresh_cookie(request)
        if presented is None:
            raise AuthRequired("Send the refresh token, as a cookie or in the body.")
        with transaction() as session:
            login = renew(session, presented, platform().refresh_token_seconds)
        if isinstance(login, Refusal):
            raise login
        return _let_in(login, in_body="refresh_token" in body)


@auth.route("/auth/logout")
class LogOut(MethodView):
    """Logins end here."""

    @auth.arguments(schemas.Presented, required=False)
    @auth.response(204)
    @auth.refuses(401, 403)
    @public
    def post(self, body: dict[str, Any]) -> Reply:
        """End the login of a refresh token, or without one that of the access token"""
        presented = body.get("refresh_token") or read_refresh_cookie(request)
        session_id = None if presented else platform().authenticate(request).session_id
        with transaction() as session:
            if presented:
                session_id = login_of(session, presented)
            end_logins(session, LoginSession.id == session_id, reason="logout")
        return Reply(None, headers={"Set-Cookie": clear_refresh_cookie(secure=not platform().is_development)})


@auth.route("/auth/me")
class Me(MethodView):
    """The caller."""

    @auth.response(200, schemas.User)
    @requires("account:read", own=True)
    def get(self) -> User:
        """The caller's account"""
        with transaction() as session:
            return session.get_one(User, principal().user_id)


@auth.route("/auth/verify")
class Verify(MethodView):
    """The caller's token."""

    @auth.response(200, schemas.TokenState)
    @requires()
    def get(self) -> dict[str, Any]:
        """What the token of this request is good for, and until when"""
        caller = principal()
        return {
            "active": True,
            "subject": caller.user_id,
            "scopes": sorted(permissions_of(caller)),
            "expires_at": caller.expires_at,
        }


@auth.route("/auth/change-password")
class ChangePassword(MethodView):
    """The caller's password."""

    @auth.arguments(schemas.PasswordChange)
    @auth.response(204)
    @requires("account:write", own=True)
    def post(self, body: dict[str, Any]) -> None:
        """Replace the password; every other login of the account ends"""
        caller = principal()
        limit_rate("login", caller.username)
        change_password(
            platform().database, caller.user_id, caller.session_id, body["current_password"], body["new_password"]
        )


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
            end_own_login(session, principal().user_id, session_id)


def _origin() -> Origin:
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    return Origin(request.remote_addr, agent or None)


def _let_in(login: Login, *, in_body: bool) -> Reply:
    """Return the reply that lets in: tokens are never stored on the way."""
    lifetime, secure = platform().refresh_token_seconds, not platform().is_development
    data = {
        "user": login.user,
        "access_token": issue_token(login.user.id, login.session_id),
        "token_type": "Bearer",
        "expires_in": platform().access_token_seconds,
    }
    if in_body:
        data["refresh_token"] = login.refresh_token
    cookie = set_refresh_cookie(login.refresh_token, lifetime, secure=secure)
    return Reply(data, headers={"Set-Cookie": cookie, "Cache-Control": "no-store"})
