"""The caller's own profile."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.views import MethodView
from sqlalchemy.orm import Session

from app.http import Blueprint, principal, requires, transaction
from app.identity.accounts import update_profile
from app.identity.models import User
from app.identity.routes.letting_in import origin
from app.identity.schemas import accounts as schemas

users = Blueprint("users", description="Accounts")


@users.route("/users/me")
class OwnProfile(MethodView):
    """The caller's account, to read and to change."""

    @users.response(200, schemas.User)
    @requires("account:read", own=True)
    def get(self) -> User:
        """The caller's account"""
        with transaction() as session:
            return _own_account(session)

    @users.arguments(schemas.Profile)
    @users.response(200, schemas.User)
    @users.refuses(409)
    @requires("account:write", own=True)
    def put(self, body: dict[str, Any]) -> User:
        """Replace email address, display name and biography"""
        with transaction() as session:
            return update_profile(session, _own_account(session), body, origin())

    @users.arguments(schemas.ProfileChange)
    @users.response(200, schemas.User)
    @users.refuses(409)
    @requires("account:write", own=True)
    def patch(self, body: dict[str, Any]) -> User:
        """Change some of email address, display name and biography"""
        with transaction() as session:
            return update_profile(session, _own_account(session), body, origin())


def _own_account(session: Session) -> User:
    return session.get_one(User, principal().user_id, with_for_update=request.method not in ("GET", "HEAD"))
