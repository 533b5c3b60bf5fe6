"""Why a source tells nothing. No message holds a header or a secret.

SourceError
├── Transient   SourceAway: no connection, no answer in time, or one that says so
└── Permanent   SourceRefused · QueryRefused · Unreadable · TooMuch
"""

from __future__ import annotations

from app.kernel.errors import HeadraceError, Permanent, Transient


class SourceError(HeadraceError):
    """The source could not be read."""


class SourceAway(SourceError, Transient):
    """The source does not answer."""

    code = "SOURCE_UNREACHABLE"


class SourceRefused(SourceError, Permanent):
    """The source does not let us in, or may not be asked."""

    code = "SOURCE_REFUSED"


class QueryRefused(SourceError, Permanent):
    """The source does not understand what it is asked."""

    code = "SOURCE_QUERY_REFUSED"


class Unreadable(SourceError, Permanent):
    """The source answers something else than what was asked of it."""

    code = "SOURCE_UNREADABLE"


class TooMuch(SourceError, Permanent):
    """The source has more to tell than is taken at once."""

    code = "SOURCE_TOO_LARGE"
