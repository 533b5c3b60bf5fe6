"""Why a request to somebody else's server came to nothing. No message holds a header or a body.
`details["step"]` says how far it came: `name`, `connect` or `tls`; without it, the request was sent.

OutgoingError
├── Transient   Unreachable: no connection, or it was lost (TooSlow: within the time there was)
└── Permanent   DestinationRefused · CertificateRefused · AnswerTooLarge · AnswerUnreadable · UpgradeRefused
"""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.errors import HeadraceError, Permanent, Transient


class OutgoingError(HeadraceError):
    """The request could not be made."""


class DestinationRefused(OutgoingError, Permanent):
    """This address is not one that may be connected to."""

    code = "DESTINATION_REFUSED"


class CertificateRefused(OutgoingError, Permanent):
    """The server's certificate cannot be trusted."""

    code = "CERTIFICATE_REFUSED"


class AnswerTooLarge(OutgoingError, Permanent):
    """The server's answer is larger than it may be."""

    code = "ANSWER_TOO_LARGE"


class AnswerUnreadable(OutgoingError, Permanent):
    """The server's answer is not HTTP."""

    code = "ANSWER_UNREADABLE"


class Unreachable(OutgoingError, Transient):
    """The server cannot be reached."""

    code = "SERVER_UNREACHABLE"


class TooSlow(Unreachable):
    """The server did not answer in time."""

    code = "SERVER_TOO_SLOW"


class UpgradeRefused(OutgoingError, Permanent):
    """The server does not open a WebSocket."""

    code = "UPGRADE_REFUSED"

    def __init__(self, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__()
        self.status, self.headers, self.body = status, headers, body
