"""The second factor."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from app.http import Reply, limit_rate, platform, principal, public, requires, transaction
from app.identity import mfa
from app.identity.logins import continue_login
from app.identity.mfa import Enrolment
from app.identity.routes.base import auth
from app.identity.routes.letting_in import origin, welcome
from app.identity.schemas import mfa as schemas
from app.identity.schemas.accounts import BODY, SignedIn


@auth.route("/auth/mfa")
class SecondFactor(MethodView):
    """The caller's second factor."""

    @auth.response(200, schemas.State)
    @requires("account:read", own=True)
    def get(self) -> dict[str, Any]:
        """Whether logging in takes a code, and how many recovery codes are left"""
        user_id = principal().user_id
        with transaction() as session:
            left = mfa.count_recovery_codes(session, user_id)
            return {"enabled": mfa.is_enabled(session, user_id), "recovery_codes_left": left}


@auth.route("/auth/mfa/enable")
class Enabling(MethodView):
    """An authenticator to be."""

    @auth.arguments(schemas.EnrolmentRequest, required=False)
    @auth.response(200, schemas.Enrolment)
    @auth.refuses(401, 409)
    @requires("account:write", own=True)
    def post(self, body: dict[str, Any]) -> Reply:
        """Begin to use an authenticator (TOTP); nothing changes until its first code comes to `/auth/mfa/verify`"""
        caller = principal()
        limit_rate("login", caller.username)
        made: Enrolment = mfa.enrol(platform().database, platform().vault, caller.user_id, body["current_password"])
        return Reply(made, headers={"Cache-Control": "no-store"})


@auth.route("/auth/mfa/verify")
class Verifying(MethodView):
    """An authenticator that shows its first code."""

    @auth.arguments(schemas.Code)
    @auth.response(200, schemas.RecoveryCodes)
    @auth.refuses(401, 409)
    @requires("account:write", own=True)
    def post(self, body: dict[str, Any]) -> Reply:
        """Switch the second factor on by its first code; the recovery codes are shown this one time"""
        codes = mfa.confirm(platform().database, platform().vault, principal().user_id, body["code"], origin())
        return Reply({"recovery_codes": codes}, headers={"Cache-Control": "no-store"})


@auth.route("/auth/mfa/disable")
class Disabling(MethodView):
    """An authenticator that is not used any more."""

    @auth.arguments(schemas.Code)
    @auth.response(204)
    @auth.refuses(401, 409)
    @requires("account:write", own=True)
    def post(self, body: dict[str, Any]) -> None:
        """Switch the second factor off, by a code of it or a recovery code"""
        mfa.disable(platform().database, platform().vault, principal().user_id, body["code"], origin())


@auth.route("/auth/mfa/challenge")
class Challenge(MethodView):
    """A login that waits for its code."""

    @auth.arguments(schemas.Answer)
    @auth.response(200, SignedIn)
    @auth.refuses(401, 403)
    @public
    def post(self, body: dict[str, Any]) -> Reply:
        """Go on with a login that was answered with MFA_REQUIRED, by a code of the authenticator or a recovery code"""
        limit_rate("login", body["session_token"])
        parts = platform()
        proof = (body["session_token"], body["code"])
        login = continue_login(parts.database, parts.vault, *proof, origin(), parts.refresh_token_seconds)
        return welcome(login, in_body=body["delivery"] == BODY)
