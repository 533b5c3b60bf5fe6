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
    """This is not in a state that allows it."""


class NothingToApply(Conflict):
    """There is no change that the platform could make for this; its command says what to do."""


class BeingApplied(Conflict):
    """This is being applied already."""


class ApplyGone(Permanent):
    """The recommendation, its cluster or who has asked for it is gone."""

    code = "RECOMMENDATION_NOT_FOUND"


class ApplyForbidden(Permanent):
    """Who has asked for this may not write there any more; nothing was changed."""

    code = "INSUFFICIENT_PERMISSIONS"


class AdviceDismissed(Permanent):
    """Somebody has dismissed this recommendation since it was to be applied."""

    code = "RECOMMENDATION_DISMISSED"


class EvidenceChanged(Permanent):
    """The object is not any more what the recommendation rests on; nothing was changed."""

    code = "EVIDENCE_CHANGED"
