"""Sending a notification: one recipient after the other, each by the first provider that takes the mail. What is to be
tried later lets the job wait in its queue, and no worker."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.notifications import (
    Notification,
    Opened,
    Outcome,
    Recipient,
    Try,
    begin,
    begin_attempt,
    copies_of,
    count_ended,
    end_attempt,
    fallback_of,
    find_providers,
    finish,
    is_carried,
    lock_notification,
    next_recipients,
    note_found,
    owner_of,
    put_off_unknown,
    seconds_to_next,
    unknown_attempt,
    unsubscribe_link,
)
from tasks.notifications.attachments import read_attachments
from tasks.notifications.carried import hand_over_all
from tasks.notifications.gateways import (
    Attachment,
    LoginRefused,
    Mail,
    MailError,
    MailRefused,
    OutcomeUnknown,
    Provider,
    ProviderAway,
    open_provider,
)
from tasks.notifications.in_app import tell_all
from tasks.patience import patiently
from tasks.tools import Tools

AT_ONCE: Final = 50
NAP: Final = 0.25
TURN_SECONDS: Final = 60.0
GOES_ON: Final = "The sending goes on."
WAITING: Final = "Some recipients are tried again later."


def send_notification(run: Run, notification_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Send to all who wait; raises as runs do. Returns None where the job waits for a later turn."""
    with run.adding() as session:
        notification = begin(session, notification_id)
        opened = find_providers(session, tools.vault, owner_of(notification))
        copies, ended = copies_of(session, notification), count_ended(session, notification_id)
    if is_carried(notification.type):
        hand_over_all(run, notification)
        return _end(run, notification_id)
    tell_all(run, notification, tools)
    attachments = read_attachments(run, notification, tools)
    with ExitStack() as stack:
        rules = tools.webhooks.destinations.addresses
        ways = {one: stack.enter_context(open_provider(opened[one], rules)) for one in opened}
        _Sender(run, tools, notification, copies, attachments, opened, ways).send_all(ended)
    return _end(run, notification_id)


def _end(run: Run, notification_id: UUID) -> dict[str, Any] | None:
    with run.recording() as (session, job):
        notification = lock_notification(session, notification_id)
        seconds = seconds_to_next(session, notification_id)
        if seconds is None:
            result = {"recipients": finish(session, notification)}
            run.finish(session, job, result)
            return result
        if seconds > 0:
            notification.wait()
        run.wait(session, job, seconds, WAITING if seconds > 0 else GOES_ON)
    return None


class _Sender:
    def __init__(
        self,
        run: Run,
        tools: Tools,
        notification: Notification,
        copies: tuple[tuple[str, ...], tuple[str, ...]],
        attachments: Sequence[Attachment],
        opened: Mapping[UUID, Opened],
        ways: Mapping[UUID, Provider],
    ) -> None:
        self._run = run
        self._tools = tools
        self._notification = notification
        self._cc, self._bcc = copies
        self._attachments = attachments
        self._opened = opened
        self._ways = ways

    def send_all(self, ended: int) -> None:
        """Send to those whose turn it is, for a while: then other jobs have theirs. `ended` is how many need nothing
        more."""
        until = time.monotonic() + TURN_SECONDS
        while time.monotonic() < until and (recipients := self._next()):
            for recipient in recipients:
                self._run.check()
                self._reach(recipient)
                ended += 1
                self._run.progress(phase="sending", current=ended, total=self._notification.recipient_count)

    def _next(self) -> list[Recipient]:
        with self._run.adding() as session:
            return next_recipients(session, self._notification, AT_ONCE)

    def _reach(self, recipient: Recipient) -> None:
        """Try one provider after the other until one takes the mail, or it is plain that none does now."""
        if recipient.attempt and self._is_settled(recipient):
            return
        tried: set[UUID] = set()
        while (turn := self._begin(recipient, tried)) is not None:
            outcome = self._try(recipient, turn)
            patiently(self._run, lambda outcome=outcome: self._note(outcome))  # type: ignore[misc]
            if outcome.is_over:
                return
            tried.add(turn.provider_id)

    def _begin(self, recipient: Recipient, tried: set[UUID]) -> Try | None:
        with self._run.adding() as session:
            return begin_attempt(session, self._notification, recipient.id, self._ways.keys(), tried)

    def _note(self, outcome: Outcome) -> None:
        with self._run.adding() as session:
            end_attempt(session, outcome, self._notification.max_retry_attempts)

    def _is_settled(self, recipient: Recipient) -> bool:
        """Look for a mail whose last attempt may have worked: where its provider has it, or does not say, it is not
        sent again now."""
        with self._run.reading() as session:
            name = unknown_attempt(session, recipient.id)
        found = next((one for one in self._opened.values() if one.name == name), None)
        if found is None or not self._ways[found.id].can_find:
            return False
        try:
            receipt = self._ways[found.id].find(self._write(recipient, found))
        except MailError:
            with self._run.adding() as session:
                put_off_unknown(session, recipient.id, self._notification.max_retry_attempts)
            return True
        if receipt is None:
            return False
        with self._run.adding() as session:
            note_found(session, recipient.id, receipt.response, receipt.message_id)
        return True

    def _try(self, recipient: Recipient, turn: Try) -> Outcome:
        self._sleep(turn.pause)
        began = time.monotonic()
        said: dict[str, Any] = {}
        try:
            receipt = self._ways[turn.provider_id].send(self._write(recipient, self._opened[turn.provider_id]))
            said = {"response": receipt.response, "message_id": receipt.message_id}
        except MailError as error:
            said = {"response": error.message, "code": error.code, **_fate(error)}
        return Outcome(recipient.id, turn, (time.monotonic() - began) * 1000, **said)

    def _sleep(self, seconds: float) -> None:
        """Wait for the provider's rate."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._run.check()
            time.sleep(min(left, NAP))

    def _write(self, recipient: Recipient, opened: Opened) -> Mail:
        asked = self._notification
        said = fallback_of(asked) if recipient.is_fallback else _said(asked)
        link = None
        if asked.can_unsubscribe:
            link = unsubscribe_link(self._tools.vault, self._tools.public_url, recipient.id)
        return Mail(
            id=str(recipient.id),
            sender=asked.from_email or opened.default_from_email,
            sender_name=asked.from_name or opened.default_from_name,
            recipient=recipient.mail_address,
            subject=str(said["subject"]),
            text=said["text"],
            html=said["html"],
            reply_to=asked.reply_to,
            cc=self._cc,
            bcc=self._bcc,
            unsubscribe=link,
            attachments=self._attachments,
        )


def _said(asked: Notification) -> dict[str, str | None]:
    return {"subject": asked.subject, "html": asked.html, "text": asked.text}


def _fate(error: MailError) -> dict[str, bool]:
    return {
        "is_refused": isinstance(error, MailRefused),
        "is_unknown": isinstance(error, OutcomeUnknown),
        "is_provider_well": not isinstance(error, ProviderAway | LoginRefused | OutcomeUnknown),
    }
