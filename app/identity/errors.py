"""Why somebody is not let in."""

from __future__ import annotations

from app.kernel.errors import AlreadyExists, AuthRequired, Conflict, Forbidden, Refusal


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


class ClientNameTaken(AlreadyExists):
    """A client application with this name exists already."""


class PlanLimitExceeded(Forbidden):
    """The plan allows no more of this."""

    code = "PLAN_LIMIT_EXCEEDED"


class RoleTaken(AlreadyExists):
    """The organization has a role with this name already."""


class AlreadyAssigned(AlreadyExists):
    """The user has this role there already."""


class BuiltInRole(Conflict):
    """Built-in roles cannot be changed; make a role of your own."""


class RoleInUse(Conflict):
    """Somebody holds this role; take it from them first."""

    code = "RESOURCE_IN_USE"


class KeyExpired(AuthRequired):
    """This key has expired; make another one."""

    code = "KEY_EXPIRED"


class TooManyKeys(Conflict):
    """There are as many keys as there may be; revoke some."""

    code = "QUOTA_EXCEEDED"
    status = 422


class EmailNotVerified(Forbidden):
    """Confirm your address first."""

    code = "EMAIL_NOT_VERIFIED"


class AddressUnconfirmed(Conflict):
    """An account has this address but has not confirmed it: log in to it by its password and confirm the address."""


class ProviderRefused(InvalidCredentials):
    """The provider does not vouch for this login."""


class ProviderAway(Refusal):
    """The provider does not answer; try again soon."""

    code = "UPSTREAM_ERROR"
    status = 502


class MfaRequired(Forbidden):
    """The password is right; send a code of the second factor to /auth/mfa/challenge."""

    code = "MFA_REQUIRED"


class MfaEnabled(Conflict):
    """The account has a second factor already."""


class MfaNotEnabled(Conflict):
    """The account has no second factor."""


class AlreadyVerified(Conflict):
    """The address of this account is confirmed already."""


class LastAdministrator(Conflict):
    """This is the last administrator; make somebody else one first."""


class NotOneself(Conflict):
    """This is your own account; to mean it, send your username as `confirm`."""
