"""What can go wrong with a job."""

from __future__ import annotations

from app.kernel.errors import Conflict, HeadraceError, Permanent


class JobEnded(Conflict):
    """The job has ended; it cannot be cancelled any more."""


class JobNotRetryable(Conflict):
    """Only a failed or cancelled job can be tried again."""


class LeaseLost(HeadraceError):
    """Another worker holds this job now; nothing of this attempt may be written."""

    code = "LEASE_LOST"


class Cancelled(HeadraceError):
    """The job was cancelled."""

    code = "CANCELLED"


class HandedBack(HeadraceError):
    """The worker is shutting down; the job goes back to its queue."""

    code = "HANDED_BACK"


class WorkerLost(Permanent):
    """The worker running this job stopped, again and again."""

    code = "WORKER_LOST"
