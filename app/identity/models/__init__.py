"""The tables of identity: accounts with what they come in by and hold, and what protects them."""

from app.identity.models.accounts import (
    ApiKey,
    Membership,
    Role,
    RoleAssignment,
    User,
    accounts,
)
from app.identity.models.clients import Client, ClientKey
from app.identity.models.external import ExternalAccount, ExternalLogin
from app.identity.models.logins import LoginSession, RefreshToken, SigningKey
from app.identity.models.mails import AccountMail, AccountToken
from app.identity.models.mfa import MfaChallenge, MfaFactor, RecoveryCode
from app.identity.models.security import LoginThrottle, SecurityEvent

__all__ = [
    "AccountMail",
    "AccountToken",
    "ApiKey",
    "Client",
    "ClientKey",
    "ExternalAccount",
    "ExternalLogin",
    "LoginSession",
    "LoginThrottle",
    "Membership",
    "MfaChallenge",
    "MfaFactor",
    "RecoveryCode",
    "RefreshToken",
    "Role",
    "RoleAssignment",
    "SecurityEvent",
    "SigningKey",
    "User",
    "accounts",
]
