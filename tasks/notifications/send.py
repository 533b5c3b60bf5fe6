"""Sending a notification: one recipient after the other, each by the first provider that takes the mail. What is to be
tried later lets the job wait in its queue, and no worker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.kernel.clock import utc_now
from app.notifications import (
    Choice,
    Notification,
    Opened,
    Outcome,
    Recipient,
    begin,
    begin_attempt,
    choices_of,
    end_attempt,
    find_providers,
    finish,
    next_recipients,
    order_providers,
    owner_of,
    seconds_to_next,
    unsubscribe_link,
)
from tasks.notifications.gateways import (
    LoginRefused,
    MailError,
    MailRefused,
    Outgoing,
    Provider,
    ProviderAway,
    Writing,
    build_message,
    open_provider,
)
from tasks.patience import patiently
from tasks.tools import Tools

AT_ONCE: Final = 50
BULK: Final = 2
WAITING: Final = "Some recipients are tried again later."


def send_notification(run: Run, notification_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Send to all who wait; raises as runs do. Returns None where the job waits for a later turn."""
    with run.adding() as session:
        notification = begin(session, notification_id)
        owner = owner_of(notification)
        opened = find_providers(session, tools.vault, owner)
        choices = choices_of(session, owner)
    with ExitStack() as stack:
        ways = {
            one: stack.enter_context(open_provider(opened[one], tools.webhooks.destinations.addresses))
            for one in opened
        }
        sender = _Sender(run, tools, notification, opened, choices, ways)
        sender.send_all()
    return _end(run, notification_id)


def _end(run: Run, notification_id: UUID) -> dict[str, Any] | None:
    with run.recording() as (session, job):
        seconds = seconds_to_next(session, notification_id)
        notification = begin(session, notification_id)
        if seconds is None:
            counts = finish(session, notification)
            run.finish(session, job, {"recipients": counts})
            return counts
        notification.wait()
        run.wait(session, job, seconds, WAITING)
    return None


class _Sender:
    def __init__(
        self,
        run: Run,
        tools: Tools,
        notification: Notification,
        opened: Mapping[UUID, Opened],
        choices: list[Choice],
        ways: Mapping[UUID, Provider],
    ) -> None:
        self._run = run
        self._tools = tools
        self._notification = notification
        self._opened = opened
        self._choices = choices
        self._ways = ways
        self._last: dict[UUID, float] = {}
        self._done = 0

    def send_all(self) -> None:
        """Send to everybody whose turn it is."""
        while recipients := self._next():
            is_bulk = len(recipients) >= BULK
            for recipient in recipients:
                self._run.check()
                self._reach(recipient, is_bulk=is_bulk)
                self._done += 1
                self._run.progress(phase="sending", current=self._done)

    def _next(self) -> list[Recipient]:
        with self._run.adding() as session:
            return next_recipients(session, self._notification, AT_ONCE)

    def _reach(self, recipient: Recipient, *, is_bulk: bool) -> None:
        """Try one provider after the other until one takes the mail, or it is plain that none ever will."""
        order = order_providers(self._choices, utc_now(), is_bulk=is_bulk)
        for nth, provider_id in enumerate(order, 1):
            outcome = self._try(recipient, provider_id)
            is_last = nth == len(order)
            patiently(self._run, lambda outcome=outcome, is_last=is_last: self._note(outcome, is_last=is_last))  # type: ignore[misc]
            if outcome.is_taken or outcome.is_over:
                return

    def _note(self, outcome: Outcome, *, is_last: bool) -> None:
        with self._run.adding() as session:
            end_attempt(session, outcome, self._notification.max_retry_attempts, is_last=is_last)

    def _try(self, recipient: Recipient, provider_id: UUID) -> Outcome:
        opened = self._opened[provider_id]
        with self._run.adding() as session:
            number = begin_attempt(session, recipient.id, opened.name)
        self._keep_pace(opened)
        began = time.monotonic()
        said: dict[str, Any] = {}
        try:
            receipt = self._ways[provider_id].send(self._write(recipient, opened))
            said = {"response": receipt.response, "message_id": receipt.message_id}
        except MailError as error:
            is_ours = isinstance(error, ProviderAway | LoginRefused)
            is_over = isinstance(error, MailRefused)
            said = {"response": error.message, "code": error.code, "is_over": is_over, "is_provider_well": not is_ours}
        milliseconds = (time.monotonic() - began) * 1000
        return Outcome(recipient.id, number, provider_id, opened.name, milliseconds, **said)

    def _keep_pace(self, opened: Opened) -> None:
        """Wait for the provider's rate, as far as this job sends by it."""
        pause = self._last.get(opened.id, 0.0) + 1 / opened.rate_limit_per_second - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self._last[opened.id] = time.monotonic()

    def _write(self, recipient: Recipient, opened: Opened) -> Outgoing:
        asked = self._notification
        link = None
        if asked.can_unsubscribe:
            link = unsubscribe_link(self._tools.vault, self._tools.public_url, recipient.id)
        writing = Writing(
            id=str(recipient.id),
            sender=asked.from_email or opened.default_from_email,
            sender_name=asked.from_name or opened.default_from_name,
            recipient=recipient.address,
            subject=asked.subject,
            text=asked.text,
            html=asked.html,
            reply_to=asked.reply_to,
            cc=tuple(asked.cc),
            unsubscribe=link,
        )
        copies = (*asked.cc, *asked.bcc)
        return Outgoing(build_message(writing), writing.sender, recipient.address, copies)
