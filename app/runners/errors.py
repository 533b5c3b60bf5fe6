"""What can go wrong between runners and the platform."""

from __future__ import annotations

from app.kernel.errors import AuthRequired, Conflict, Forbidden


class RunnerUnknown(AuthRequired):
    """This token is not one of a runner."""

    code = "TOKEN_INVALID"


class RegistrationRefused(AuthRequired):
    """This token registers no runner: it is not one of ours, was used, or has expired."""

    code = "TOKEN_INVALID"


class RunnerDisabled(Forbidden):
    """This runner has been disabled."""

    code = "RUNNER_DISABLED"


class AttemptOver(Conflict):
    """This attempt is not the runner's any more: it was lost, has ended, or is another's."""

    code = "LEASE_LOST"


class LogGap(Conflict):
    """Lines before these are missing."""

    code = "LOG_GAP"


class TooMuchSent(Forbidden):
    """The runner has sent all that one attempt of a stage may."""

    code = "RUNNER_BYTES_EXCEEDED"
