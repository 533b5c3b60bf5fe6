"""What goes by mail: confirming an address, and a password that was forgotten."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from app.http import limit_rate, platform, principal, public, requires, transaction
from app.identity.account_mails import ask_for_reset, ask_for_verification
from app.identity.accounts import reset_password, verify_email
from app.identity.errors import AlreadyVerified
from app.identity.models import User
from app.identity.routes.base import auth
from app.identity.routes.letting_in import origin
from app.identity.schemas import security as schemas

SENT = {"message": "If an account has this address, a mail is on its way to it."}


@auth.route("/auth/send-verification")
class SendVerification(MethodView):
    """The mail that confirms an address."""

    @auth.response(200, schemas.Message)
    @auth.refuses(409)
    @requires("account:write", own=True)
    def post(self) -> dict[str, str]:
        """Send the mail by which the caller's address is confirmed; its token works once, for 24 hours"""
        limit_rate("mail", str(principal().user_id))
        with transaction() as session:
            user = session.get_one(User, principal().user_id)
            if user.email_verified:
                raise AlreadyVerified
            ask_for_verification(session, user)
        return {"message": "A mail is on its way to your address."}


@auth.route("/auth/verify-email")
class VerifyEmail(MethodView):
    """A mail that arrived."""

    @auth.arguments(schemas.MailedToken)
    @auth.response(200, schemas.Message)
    @auth.refuses(401)
    @public
    def post(self, body: dict[str, Any]) -> dict[str, str]:
        """Confirm an address by the token that was mailed to it"""
        with transaction() as session:
            verify_email(session, body["token"], origin())
        return {"message": "The address is confirmed."}


@auth.route("/auth/forgot-password")
class ForgotPassword(MethodView):
    """A password that was forgotten."""

    @auth.arguments(schemas.Forgotten)
    @auth.response(200, schemas.Message)
    @public
    def post(self, body: dict[str, Any]) -> dict[str, str]:
        """Send a mail that resets the password of the account with this address

        The answer is the same whether there is one or not. The mail's token works once, for one hour.
        """
        limit_rate("mail", body["email"])
        with transaction() as session:
            ask_for_reset(session, body["email"])
        return SENT


@auth.route("/auth/reset-password")
class ResetPassword(MethodView):
    """A new password for one that was forgotten."""

    @auth.arguments(schemas.PasswordReset)
    @auth.response(200, schemas.Message)
    @auth.refuses(401)
    @public
    def post(self, body: dict[str, Any]) -> dict[str, str]:
        """Replace a password by the token that was mailed; all logins of the account end"""
        limit_rate("login", "reset")
        reset_password(platform().database, body["token"], body["new_password"], origin())
        return {"message": "The password is changed; log in with it."}
