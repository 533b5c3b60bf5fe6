"""What a provider of mail is, and how it fails.

MailError
├── Transient   ProviderAway (it takes nothing now) · MailDeferred (it does not take this mail now)
└── Permanent   MailRefused (this mail, or this address, never) · LoginRefused (nothing, until its settings change)
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Protocol, Self

from app.kernel.errors import HeadraceError, Permanent, Transient


class MailError(HeadraceError):
    """A mail could not be handed over."""


class ProviderAway(MailError, Transient):
    """The provider takes no mails now."""

    code = "PROVIDER_UNAVAILABLE"


class MailDeferred(MailError, Transient):
    """The provider does not take this mail now."""

    code = "MAIL_DEFERRED"


class MailRefused(MailError, Permanent):
    """The provider refuses this mail for good."""

    code = "MAIL_REFUSED"


class LoginRefused(MailError, Permanent):
    """The provider refuses our login."""

    code = "PROVIDER_LOGIN_REFUSED"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail to one recipient, whose address is on the envelope; copies go to `copies`."""

    message: EmailMessage
    sender: str
    recipient: str
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says of a mail it has taken; `message_id` is its own, where it has one."""

    response: str
    message_id: str | None = None


class Provider(Protocol):
    """A way out for mails, opened once for many of them."""

    def __enter__(self) -> Self:
        """Get ready; connects at the first mail."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of connections."""

    def send(self, mail: Outgoing) -> Receipt:
        """Hand a mail over; raises a MailError."""

    def validate(self) -> str:
        """Connect, log in, and return what the provider says of itself; raises a MailError."""
