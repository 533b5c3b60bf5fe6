"""A lane of mails: connections of its own to providers, by which one mail goes after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from uuid import UUID

from app.kernel.addresses import AddressRules
from app.notifications import Opened, Outcome, Recipient, Try
from tasks.notifications.gateways import (
    LoginRefused,
    Mail,
    MailError,
    MailRefused,
    OutcomeUnknown,
    Provider,
    ProviderAway,
    Receipt,
    open_provider,
)
from tasks.notifications.writing import Writer

STOPPED = {"code": "STOPPED", "response": "The sending was stopped before this mail's turn.", "is_provider_well": None}


class Lane:
    """Used by one thread at a time. Nothing is sent once it was told to stop: `stopping` is set from outside."""

    def __init__(
        self, writer: Writer, opened: Mapping[UUID, Opened], rules: AddressRules, stopping: threading.Event
    ) -> None:
        self._writer = writer
        self._opened = opened
        self._rules = rules
        self._stopping = stopping
        self._ways: dict[UUID, Provider] = {}
        self._stack = ExitStack()

    def close(self) -> None:
        """Let go of the connections."""
        self._stack.close()

    def send(self, recipient: Recipient, turn: Try) -> Outcome:
        """Make an attempt, once its provider's rate lets it go; whatever comes of it is returned."""
        if self._stopping.wait(turn.pause):
            return Outcome(recipient.id, turn, 0.0, **STOPPED)  # type: ignore[arg-type]
        began = time.monotonic()
        said = self._hand_over(recipient, turn.provider_id)
        return Outcome(recipient.id, turn, (time.monotonic() - began) * 1000, **said)

    def find(self, recipient: Recipient, provider_id: UUID) -> Receipt | None:
        """Return what a provider says of a mail that it may have taken, None where it has not or cannot tell; raises a
        MailError."""
        way = self._by(provider_id)
        return way.find(self._mail(recipient, provider_id)) if way.can_find else None

    def _hand_over(self, recipient: Recipient, provider_id: UUID) -> dict[str, Any]:
        try:
            receipt = self._by(provider_id).send(self._mail(recipient, provider_id))
        except MailError as error:
            return {"response": error.message, "code": error.code, **_fate(error)}
        return {"response": receipt.response, "message_id": receipt.message_id}

    def _mail(self, recipient: Recipient, provider_id: UUID) -> Mail:
        return self._writer.write(recipient, self._opened[provider_id])

    def _by(self, provider_id: UUID) -> Provider:
        if provider_id not in self._ways:
            opened = open_provider(self._opened[provider_id], self._rules)
            self._ways[provider_id] = self._stack.enter_context(opened)
        return self._ways[provider_id]


def _fate(error: MailError) -> dict[str, bool]:
    return {
        "is_refused": isinstance(error, MailRefused),
        "is_unknown": isinstance(error, OutcomeUnknown),
        "is_provider_well": not isinstance(error, ProviderAway | LoginRefused | OutcomeUnknown),
    }
