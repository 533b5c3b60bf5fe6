"""What a provider of mail is, and how it fails.

MailError
├── Transient   ProviderAway (it takes nothing now) · MailDeferred (it does not take this mail now)
│               OutcomeUnknown (it may have taken this mail)
└── Permanent   MailRefused (this mail, or this address, never) · LoginRefused (nothing, until its settings change)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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


class OutcomeUnknown(MailError, Transient):
    """The provider may have taken the mail: it was handed over, and the answer was lost."""

    code = "OUTCOME_UNKNOWN"


class MailRefused(MailError, Permanent):
    """The provider refuses this mail for good."""

    code = "MAIL_REFUSED"


class LoginRefused(MailError, Permanent):
    """The provider refuses our login."""

    code = "PROVIDER_LOGIN_REFUSED"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a mail carries."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one recipient, with copies. `id` is the same at each try, so that a doubled one can be told, and one
    that was taken be found. `unsubscribe` is an address of ours that takes a POST (RFC 8058); `is_automatic` tells mail
    programs that nobody waits for an answer (RFC 3834)."""

    id: str
    sender: str
    sender_name: str | None
    recipient: str
    subject: str
    text: str | None
    html: str | None
    reply_to: str | None = None
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    unsubscribe: str | None = None
    attachments: Sequence[Attachment] = ()
    is_automatic: bool = False

    @property
    def message_id(self) -> str:
        """What its Message-ID holds between the angle brackets."""
        return f"{self.id}@{self.sender.rpartition('@')[2]}"

    @property
    def more_headers(self) -> dict[str, str]:
        """The headers that not every mail has: those by which mail programs unsubscribe with one click, and what says
        that a machine has written it."""
        headers = {"Auto-Submitted": "auto-generated"} if self.is_automatic else {}
        if self.unsubscribe:
            headers["List-Unsubscribe"] = f"<{self.unsubscribe}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says of a mail it has taken; `message_id` is its own, where it has one."""

    response: str
    message_id: str | None = None


class Provider(Protocol):
    """A way out for mails, opened once for many of them."""

    @property
    def can_find(self) -> bool:
        """Whether it can be asked for a mail that it may have taken."""

    def __enter__(self) -> Self:
        """Get ready; connects at the first mail."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of connections."""

    def send(self, mail: Mail) -> Receipt:
        """Hand a mail over; raises a MailError."""

    def find(self, mail: Mail) -> Receipt | None:
        """Return what it says of a mail that it has taken, None where it has not or cannot tell; raises a MailError."""

    def validate(self) -> str:
        """Connect, log in, and return what the provider says of itself; raises a MailError."""


def clean(text: str) -> str:
    """Return what a provider said as one line that can be kept."""
    return "".join(one if one.isprintable() else " " for one in text)[:500].strip()
