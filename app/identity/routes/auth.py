"""Logins: register, log in, refresh, log out, and who the caller is."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.views import MethodView

from app.http import Reply, limit_rate, platform, principal, public, requires, transaction
from app.identity.account_mails import ask_for_verification
from app.identity.accounts import register
from app.identity.attempts import begin_attempt
from app.identity.cookies import clear_refresh_cookie, read_refresh_cookie
from app.identity.errors import RegistrationClosed
from app.identity.logins import log_in, log_out, login_of, open_login, renew
from app.identity.models import User
from app.identity.passwords import hash_password, refuse_full, refuse_weak
from app.identity.permissions import permissions_of
from app.identity.routes.base import auth
from app.identity.routes.letting_in import origin, welcome
from app.identity.schemas import accounts as schemas
from app.identity.security_log import REGISTERED, note_security
from app.kernel.errors import AuthRequired, Refusal


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
        refuse_weak(body["password"], body["username"], body["email"])
        password_hash = hash_password(body["password"])
        with transaction() as session:
            user = register(session, body["username"], body["email"], password_hash)
            note_security(session, user.id, REGISTERED, origin())
            ask_for_verification(session, user)
            login = open_login(session, user, origin(), platform().refresh_token_seconds)
        return welcome(login, in_body=body["delivery"] == schemas.BODY)


@auth.route("/auth/login")
class LogIn(MethodView):
    """Logins begin here."""

    @auth.arguments(schemas.Credentials)
    @auth.response(200, schemas.SignedIn)
    @auth.refuses(401, 403)
    @public
    def post(self, body: dict[str, Any]) -> Reply:
        """Log in with a username or an email address"""
        refuse_full()
        attempt = begin_attempt(platform().database, body.get("username") or body["email"], origin())
        limit_rate("login", attempt.counted_by)
        login = log_in(platform().database, attempt, body["password"], platform().refresh_token_seconds)
        return welcome(login, in_body=body["delivery"] == schemas.BODY)


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
            login = renew(session, presented, origin(), platform().refresh_token_seconds)
        if isinstance(login, Refusal):
            raise login
        return welcome(login, in_body="refresh_token" in body)


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
            log_out(session, login_of(session, presented) if presented else session_id, origin())
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
            "client_id": caller.client_id,
            "scopes": sorted(permissions_of(caller)),
            "expires_at": caller.expires_at,
        }
