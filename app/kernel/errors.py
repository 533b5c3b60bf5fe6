"""The error tree: every error a caller may meet carries a stable code, and its class docstring is the default message.

HeadraceError
├── Refusal            the request cannot be served as it stands; has an HTTP status
│   ├── Malformed 400 · AuthRequired 401 · Forbidden 403 · NotFound 404 · Conflict 409 · PreconditionFailed 412
│   └── Invalid 422 · RateLimited 429 · Unavailable 503
├── Transient          work failed for a reason that passes: try again
└── Permanent          work failed for good: never try again
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field; `field` is its dotted path."""

    field: str
    message: str


class HeadraceError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip().split("\n")[0]
        self.details: Mapping[str, Any] = details
        super().__init__(self.message)


class Transient(HeadraceError):
    """The work failed for a reason that passes; it is tried again."""

    code = "TRANSIENT_FAILURE"

    def __init__(self, message: str | None = None, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class Permanent(HeadraceError):
    """The work failed for a reason that stays."""

    code = "PERMANENT_FAILURE"


class Refusal(HeadraceError):
    """The request cannot be served."""

    code = "MALFORMED_REQUEST"
    status: ClassVar[int] = 400

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class Malformed(Refusal):
    """The request could not be read."""


class AuthRequired(Refusal):
    """Log in first: this needs a bearer token or an API key."""

    code = "AUTH_REQUIRED"
    status = 401


class Forbidden(Refusal):
    """You do not have the permission this needs."""

    code = "INSUFFICIENT_PERMISSIONS"
    status = 403


class NotFound(Refusal):
    """There is no such resource."""

    code = "RESOURCE_NOT_FOUND"
    status = 404


class Conflict(Refusal):
    """The resource is not in a state that allows this."""

    code = "INVALID_STATE"
    status = 409


class AlreadyExists(Conflict):
    """There is one already."""

    code = "RESOURCE_ALREADY_EXISTS"


class PreconditionFailed(Refusal):
    """The resource has changed since you read it."""

    code = "PRECONDITION_FAILED"
    status = 412


class Invalid(Refusal):
    """Some fields are not valid."""

    code = "VALIDATION_ERROR"
    status = 422


class RateLimited(Refusal):
    """Too many requests; wait and try again."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429


class Unavailable(Refusal):
    """A part of the platform is away; try again soon."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
