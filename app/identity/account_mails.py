"""The mails about accounts: confirm an address, reset a password, and notices of what has happened."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func
from sqlalchemy.orm import Session

from app.identity.account_tokens import RESET_PASSWORD, VERIFY_EMAIL, make_account_token
from app.identity.letters import Letter
from app.identity.mails import Desk, ask_for_mail, writes_mail
from app.identity.models import AccountMail, User, accounts
from app.identity.origins import Origin

VERIFICATION: Final = "verification"
PASSWORD_RESET: Final = "password_reset"  # noqa: S105 - the name of a kind
NOTICE: Final = "notice"

NOTICES: Final = {
    "new_login": ("A new login to your account", "Somebody has logged in to your account on a device it does not know"),
    "password_changed": ("Your password was changed", "The password of your account was changed"),
    "address_changed": ("Your address was changed", "Your account has another email address now"),
    "provider_linked": ("A new way into your account", "Your account can be entered by way of another provider now"),
    "mfa_enabled": ("Second factor switched on", "Logging in to your account takes a code as well now"),
    "mfa_reset": (
        "Second factor taken away",
        "An administrator has switched off the second factor of your account, and ended its logins",
    ),
    "mfa_disabled": ("Second factor switched off", "Logging in to your account takes the password alone now"),
}


def ask_for_verification(session: Session, user: User) -> None:
    """Send a mail by which a user confirms their address."""
    ask_for_mail(session, VERIFICATION, user.email, user.id)


def ask_for_reset(session: Session, address: str) -> None:
    """Send the mail that resets a password, if an account has the address: the job finds out, so that asking takes as
    long and does the same in either case."""
    ask_for_mail(session, PASSWORD_RESET, address)


def give_notice(session: Session, user: User, notice: str, origin: Origin, address: str | None = None) -> None:
    """Tell a user by mail what has happened to their account, and from where."""
    where = {"ip_address": origin.ip_address, "device": origin.user_agent}
    ask_for_mail(session, NOTICE, address or user.email, user.id, notice=notice, **where)


@writes_mail(VERIFICATION)
def _write_verification(session: Session, mail: AccountMail, desk: Desk) -> Letter | None:
    user = session.get(User, mail.user_id)
    if user is None or user.email_verified or user.email != mail.address:
        return None
    token = make_account_token(session, user, VERIFY_EMAIL)
    return Letter(
        "Confirm your email address",
        (
            f"Hello {user.username}, please confirm that this address is yours.",
            "The link works once, for 24 hours. If you have made no account, ignore this mail.",
        ),
        "Confirm the address",
        f"{desk.public_url}/console/verify-email#token={token}",
        token,
    )


@writes_mail(PASSWORD_RESET)
def _write_reset(session: Session, mail: AccountMail, desk: Desk) -> Letter | None:
    found = accounts().where(func.lower(User.email) == mail.address.lower(), User.disabled_at.is_(None))
    user = session.scalars(found).one_or_none()
    if user is None:
        return None
    # The mail goes to the account's own address, never to one that only looks like it.
    mail.address, mail.user_id = user.email, user.id
    token = make_account_token(session, user, RESET_PASSWORD)
    return Letter(
        "Reset your password",
        (
            f"Hello {user.username}, somebody, probably you, wants to give your account another password.",
            "The link works once, for one hour. If it was not you, ignore this mail: nothing has changed.",
        ),
        "Choose a new password",
        f"{desk.public_url}/console/reset-password#token={token}",
        token,
    )


@writes_mail(NOTICE)
def _write_notice(session: Session, mail: AccountMail, desk: Desk) -> Letter | None:
    user = session.get(User, mail.user_id)
    if user is None:
        return None
    subject, what = NOTICES[mail.details["notice"]]
    address, device = mail.details["ip_address"], mail.details["device"]
    where = f", from {address or 'an unknown address'}, with {device or 'no name'}" if address or device else ""
    when = f"{mail.created_at:%Y-%m-%d %H:%M} UTC"
    return Letter(
        subject,
        (
            f"Hello {user.username}. {what} ({when}{where}).",
            "If it was you, there is nothing to do. If not, reset your password now and end all other logins.",
        ),
        "Look at your logins",
        f"{desk.public_url}/console/security",
    )
