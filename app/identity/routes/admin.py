"""The administration of accounts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import Blueprint, note_row, principal, requires, transaction
from app.identity import administration as service
from app.identity.models import User
from app.identity.schemas import admin as schemas

admin = Blueprint("admin", description="The administration of the platform's accounts")

SORT = {
    "created_at": User.created_at,
    "username": User.username,
    "email": User.email,
    "last_login_at": User.last_login_at,
}
ONE = "/admin/users/<uuid:user_id>"


@admin.route("/admin/users")
class Users(MethodView):
    """All accounts."""

    @admin.paged(schemas.ManagedUser, sort=SORT, default="-created_at", filters=schemas.UserFilters)
    @requires("users:administer", platform=True)
    def get(self, filters: dict[str, Any]) -> Select[User]:
        """All users, newest first"""
        return service.filter_users(filters)


@admin.route(ONE)
class OneUser(MethodView):
    """An account."""

    @admin.response(200, schemas.ManagedUser)
    @requires("users:administer", platform=True)
    def get(self, user_id: UUID) -> User:
        """A user"""
        with transaction() as session:
            user = service.load_user(session, user_id, for_update=False)
            note_row(user)
            return user


@admin.route(f"{ONE}/disable")
class Disabling(MethodView):
    """Locking out."""

    @admin.arguments(schemas.Confirmation, required=False)
    @admin.response(200, schemas.ManagedUser)
    @admin.refuses(409)
    @requires("users:administer", platform=True)
    def patch(self, body: dict[str, Any], user_id: UUID) -> User:
        """Disable an account; its logins and keys end at once, its streams within seconds"""
        with transaction() as session:
            return service.disable_user(session, principal(), user_id, body["confirm"])


@admin.route(f"{ONE}/enable")
class Enabling(MethodView):
    """Letting in again."""

    @admin.response(200, schemas.ManagedUser)
    @admin.refuses(409)
    @requires("users:administer", platform=True)
    def patch(self, user_id: UUID) -> User:
        """Enable an account; it has to log in anew"""
        with transaction() as session:
            return service.enable_user(session, user_id)


@admin.route(f"{ONE}/mfa")
class SecondFactorOf(MethodView):
    """A second factor that was lost."""

    @admin.response(204)
    @admin.refuses(409)
    @requires("users:administer", platform=True)
    def delete(self, user_id: UUID) -> None:
        """Take the second factor from a user who has lost it; their logins end, and a mail tells them"""
        with transaction() as session:
            service.reset_second_factor(session, principal(), user_id)


@admin.route(f"{ONE}/role")
class PlatformRole(MethodView):
    """The role on the platform."""

    @admin.arguments(schemas.RoleOnPlatform)
    @admin.response(200, schemas.ManagedUser)
    @admin.refuses(409)
    @requires("users:administer", platform=True)
    def patch(self, body: dict[str, Any], user_id: UUID) -> User:
        """Make a user an administrator of the platform, or an ordinary user"""
        with transaction() as session:
            return service.change_role(session, principal(), user_id, body["role"], body["confirm"])


@admin.route("/admin/stats")
class Stats(MethodView):
    """Figures."""

    @admin.response(200, schemas.UserCounts)
    @requires("users:administer", platform=True)
    def get(self) -> dict[str, int]:
        """How many users there are of which kind"""
        with transaction() as session:
            return service.count_users(session)
