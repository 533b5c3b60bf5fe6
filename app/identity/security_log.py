"""The security log of an account: what its owner should know of. Events name no secret."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.identity.models import SecurityEvent
from app.identity.origins import Origin

LOGIN_SUCCEEDED: Final = "login_succeeded"
LOGIN_FAILED: Final = "login_failed"
LOGGED_OUT: Final = "logged_out"
SESSION_REVOKED: Final = "session_revoked"
SESSIONS_REVOKED: Final = "sessions_revoked"
TOKEN_REPLAYED: Final = "token_replayed"  # noqa: S105 - the name of an event
PASSWORD_CHANGED: Final = "password_changed"  # noqa: S105 - the name of an event
REGISTERED: Final = "registered"
PROVIDER_LINKED: Final = "provider_linked"
MFA_ENABLED: Final = "mfa_enabled"
MFA_DISABLED: Final = "mfa_disabled"
MFA_FAILED: Final = "mfa_failed"
MFA_RESET: Final = "mfa_reset"
RECOVERY_CODE_USED: Final = "recovery_code_used"
EMAIL_VERIFIED: Final = "email_verified"
EMAIL_CHANGED: Final = "email_changed"
PASSWORD_RESET: Final = "password_reset"  # noqa: S105 - the name of an event

EVENT_TYPES: Final = (
    REGISTERED,
    LOGIN_SUCCEEDED,
    LOGIN_FAILED,
    LOGGED_OUT,
    SESSION_REVOKED,
    SESSIONS_REVOKED,
    TOKEN_REPLAYED,
    PASSWORD_CHANGED,
    PASSWORD_RESET,
    EMAIL_VERIFIED,
    EMAIL_CHANGED,
    PROVIDER_LINKED,
    MFA_ENABLED,
    MFA_DISABLED,
    MFA_FAILED,
    MFA_RESET,
    RECOVERY_CODE_USED,
)


def note_security(session: Session, user_id: UUID, event: str, origin: Origin, **details: Any) -> None:
    """Write down what has happened to an account, and from where."""
    session.add(
        SecurityEvent(
            user_id=user_id,
            type=event,
            ip_address=origin.ip_address,
            user_agent=origin.user_agent,
            details=details,
        )
    )
    session.flush()


def security_log_of(user_id: UUID, event: str | None = None) -> Select[SecurityEvent]:
    """Select what has happened to an account."""
    found = select(SecurityEvent).where(SecurityEvent.user_id == user_id)
    return found.where(SecurityEvent.type == event) if event else found
