"""Why something of SRE is refused, or cannot be done."""

from __future__ import annotations

from app.kernel.errors import Conflict, NotFound, Permanent


class ScanGone(Permanent):
    """The scan is gone, or what it was to judge."""

    code = "SCAN_NOT_FOUND"


class ScanTooLong(Permanent):
    """A series has too many new samples for one scan; scan it up to an earlier moment first."""

    code = "SCAN_TOO_LONG"


class SeriesUnknown(NotFound):
    """This scan has no such series."""


class IllegalMove(Conflict):
    """The problem is not in a state that allows this."""
