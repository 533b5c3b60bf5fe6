"""Why something with metrics is refused, or cannot be done."""

from __future__ import annotations

from app.kernel.errors import Invalid, Refusal


class TooManySeries(Invalid):
    """The organization has as many series as it may have."""

    code = "QUOTA_EXCEEDED"


class BodyTooLarge(Refusal):
    """The body holds more points than one request may."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413


class QueryTooWide(Invalid):
    """The query reads more than one query may; narrow its names, labels or time."""


class QueryInvalid(Invalid):
    """The query is not one that this understands."""
