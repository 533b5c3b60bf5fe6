"""Users of client applications, for their application, for themselves and for administrators, who see all users."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Reply, limit_rate, load, own_client, platform, principal, requires, transaction
from app.identity import client_users as service
from app.identity.models import User
from app.identity.routes.profile import users
from app.identity.schemas import client_users as schemas
from app.kernel.errors import Conflict, Forbidden

SORT = {
    "created_at": User.created_at,
    "username": User.username,
    "email": User.email,
    "last_login_at": User.last_login_at,
}
# What users may not change of themselves.
GIVEN = {"client_permissions", "is_active"}


@users.route("/users")
class Users(MethodView):
    """Users."""

    @users.paged(schemas.ClientUser, sort=SORT, default="-created_at", filters=schemas.ClientUserFilters)
    @requires("users:read")
    def get(self, filters: dict[str, Any]) -> Select[User]:
        """The users of the caller's client application; for administrators all users, accounts among them"""
        return service.visible_users(principal(), filters)

    @users.arguments(schemas.ClientUserCreation)
    @users.response(201, schemas.ClientUserShown)
    @users.refuses(403, 409)
    @requires("users:write", client=True)
    def post(self, body: dict[str, Any]) -> Reply:
        """Make a user of the application; the user's key is shown this one time, and works for seven days"""
        with transaction() as session:
            user, text = service.make_user(session, platform().vault, own_client(), body)
            return _secret({**_said_of(user), "scoped_api_key": text})


@users.route("/users/login")
class UserLogin(MethodView):
    """Users of applications come in here."""

    @users.arguments(schemas.ClientUserLogin)
    @users.response(200, schemas.ClientUserLoggedIn)
    @users.refuses(403, 404)
    @requires("users:write", client=True)
    def post(self, body: dict[str, Any]) -> Reply:
        """Give a user of the application another key, for seven days; the one before fails from now on"""
        limit_rate("client", str(own_client()))
        with transaction() as session:
            user, text = service.log_in(session, platform().vault, own_client(), body["email"])
            expires_at = user.key and user.key.expires_at
            return _secret({"user": _said_of(user), "scoped_api_key": text, "expires_at": expires_at})


@users.route("/users/<uuid:user_id>")
class OneUser(MethodView):
    """A user."""

    @users.response(200, schemas.ClientUser)
    @requires("users:read")
    def get(self, user_id: UUID) -> User:
        """A user of the application, for it and for the user; any user for administrators"""
        with transaction() as session:
            return _load(session, user_id)

    @users.arguments(schemas.ClientUserReplacement)
    @users.response(200, schemas.ClientUser)
    @users.refuses(409)
    @requires("users:write")
    def put(self, body: dict[str, Any], user_id: UUID) -> User:
        """Replace a user of the application; users may do so themselves, but for what they may do"""
        return _change(user_id, body)

    @users.arguments(schemas.ClientUserChange)
    @users.response(200, schemas.ClientUser)
    @users.refuses(409)
    @requires("users:write")
    def patch(self, body: dict[str, Any], user_id: UUID) -> User:
        """Change a user of the application; users may do so themselves, but for what they may do"""
        return _change(user_id, body)

    @users.response(204)
    @users.refuses(409)
    @requires("users:write")
    def delete(self, user_id: UUID) -> None:
        """Delete a user of the application; their key fails from now on"""
        with transaction() as session:
            user = _load_to_change(session, user_id)
            _refuse_oneself(user)
            service.delete_user(session, user)


def _change(user_id: UUID, body: dict[str, Any]) -> User:
    with transaction() as session:
        user = _load_to_change(session, user_id)
        if GIVEN & body.keys():
            _refuse_oneself(user)
        return service.change_user(session, user, body)


def _load(session: Session, user_id: UUID) -> User:
    user = load(session, User, user_id, for_update=request.method not in ("GET", "HEAD"))
    session.refresh(user, ["key"])
    return user


def _load_to_change(session: Session, user_id: UUID) -> User:
    user = _load(session, user_id)
    if user.client_id is None:
        raise Conflict("This is an account: administrators change it at /admin/users, its owner at /users/me.")
    return user


def _refuse_oneself(user: User) -> None:
    """Leave it to the application what its users may do, and whether they are there."""
    if not principal().may("users:write", user.client_id):
        raise Forbidden("This takes the key of the client application.", required_permission="users:write")


def _said_of(user: User) -> dict[str, Any]:
    attributes = {field.attribute or name for name, field in schemas.ClientUser().fields.items()}
    return {name: getattr(user, name) for name in attributes}


def _secret(data: dict[str, Any]) -> Reply:
    return Reply(data, headers={"Cache-Control": "no-store"})
