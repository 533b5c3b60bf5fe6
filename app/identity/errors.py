"""Why somebody is not let in."""

from __future__ import annotations

from app.kernel.errors import AlreadyExists, AuthRequired, Forbidden


class InvalidCredentials(AuthRequired):
    """The name or the password is wrong."""

    code = "INVALID_CREDENTIALS"


class TokenInvalid(AuthRequired):
    """This token is not one of ours."""

    code = "TOKEN_INVALID"


class TokenExpired(AuthRequired):
    """This token has expired; refresh it or log in again."""

    code = "TOKEN_EXPIRED"


class TokenRevoked(AuthRequired):
    """The login this token came from has ended; log in again."""

    code = "TOKEN_REVOKED"


class AccountDisabled(Forbidden):
    """This account is disabled; ask an administrator."""

    code = "ACCOUNT_DISABLED"


class RegistrationClosed(Forbidden):
    """Registration is closed here; ask an administrator for an account."""


class NameTaken(AlreadyExists):
    """An account with this name or address exists already."""
