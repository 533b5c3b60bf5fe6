"""Mailing: the mails of one notification go by some lanes beside each other. What came of those that have ended is
written together with which go next, so that a mail costs one transaction at most, and fewer in a hurry."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Final
from uuid import UUID

from app.jobs import Run
from app.kernel.addresses import AddressRules
from app.notifications import (
    Notification,
    Opened,
    Outcome,
    Recipient,
    Try,
    exchange_attempts,
    next_recipients,
    note_found,
    put_off_unknown,
    unknown_attempts,
)
from tasks.notifications.gateways import MailError
from tasks.notifications.lane import Lane
from tasks.notifications.writing import Writer
from tasks.patience import patiently

# Beside each other: mail servers allow a client some connections, few allow many.
LANES: Final = 4
AT_ONCE: Final = 50
NAP: Final = 0.25
LINGER: Final = 0.01
TURN_SECONDS: Final = 60.0

Came = tuple[Recipient, Outcome]


class Mailing:
    """Sends to those whose turn it is, for a while: then other jobs have theirs."""

    def __init__(
        self, run: Run, notification: Notification, writer: Writer, opened: Mapping[UUID, Opened], rules: AddressRules
    ) -> None:
        self._run = run
        self._notification = notification
        self._opened = opened
        self._stopping = threading.Event()
        count = min(LANES, max(notification.recipient_count, 1))
        self._asking, *self._free = (Lane(writer, opened, rules, self._stopping) for _ in range(count + 1))
        self._waiting = deque[Recipient]()
        self._came: list[Came] = []
        self._sending: dict[Future[Outcome], tuple[Lane, Recipient]] = {}
        self._tried = defaultdict[UUID, set[UUID]](set)
        self._until: float | None = None

    def send_all(self, ended: int) -> None:
        """Send; `ended` is how many recipients need nothing more. What is on its way when the job must stop is waited
        for, and what came of it written."""
        lanes = (self._asking, *self._free)
        with ExitStack() as stack:
            for lane in lanes:
                stack.callback(lane.close)
            threads = stack.enter_context(ThreadPoolExecutor(len(self._free), "mails"))
            stack.callback(self._finish)
            while self._came or self._sending or self._fetch():
                ended += self._exchange(threads)
                self._run.progress(phase="sending", current=ended, total=self._notification.recipient_count)
                self._await_some()

    def _fetch(self) -> bool:
        """Tell whether somebody's turn has come; while there is time, more are looked for when nobody waits."""
        while not self._waiting:
            if self._until is not None and time.monotonic() > self._until:
                return False
            self._until = self._until or time.monotonic() + TURN_SECONDS
            with self._run.adding() as session:
                rows = next_recipients(session, self._notification, AT_ONCE)
                unknown = unknown_attempts(session, [row.id for row in rows if row.attempt])
            if not rows:
                return False
            self._waiting.extend(row for row in rows if not self._is_settled(row, unknown.get(row.id)))
        return True

    def _exchange(self, threads: Executor) -> int:
        """Write what came of some, and let others go on the lanes that are free, first those whom another provider may
        still reach; returns of how many the turn is over."""
        going = [recipient for recipient, outcome in self._came if not outcome.is_over]
        over = len(self._came) - len(going)
        if len(going) < len(self._free):
            self._fetch()
        # Nobody is looked for from here on: who goes now waits in the database still.
        while len(going) < len(self._free) and self._waiting:
            going.append(self._waiting.popleft())
        turns = self._write(going)
        for recipient in going:
            if (turn := turns.get(recipient.id)) is None:
                over += 1
                continue
            self._tried[recipient.id].add(turn.provider_id)
            lane = self._free.pop()
            self._sending[threads.submit(lane.send, recipient, turn)] = (lane, recipient)
        return over

    def _write(self, going: Sequence[Recipient]) -> dict[UUID, Try]:
        wanted = {recipient.id: self._tried[recipient.id] for recipient in going}
        outcomes = [outcome for _, outcome in self._came]

        def write() -> dict[UUID, Try]:
            with self._run.adding() as session:
                return exchange_attempts(session, self._notification, outcomes, wanted, self._opened.keys())

        turns = patiently(self._run, write)
        self._came.clear()
        return turns

    def _await_some(self) -> None:
        while self._sending and not self._came:
            self._run.check()
            if wait(self._sending, NAP, FIRST_COMPLETED).done:
                # Those that end within a moment of each other are written together.
                done, _ = wait(self._sending, LINGER)
                for one in done:
                    self._take(one)

    def _take(self, future: Future[Outcome]) -> None:
        lane, recipient = self._sending.pop(future)
        self._free.append(lane)
        self._came.append((recipient, future.result()))

    def _finish(self) -> None:
        """Wait for what is on its way, and write what came of it, and of what has ended before."""
        self._stopping.set()
        wait(self._sending)
        self._came += [(to, one.result()) for one, (_, to) in self._sending.items() if one.exception() is None]
        if self._came:
            self._write([])

    def _is_settled(self, recipient: Recipient, name: str | None) -> bool:
        """Look for a mail that the provider of this name may have taken: where it has it, or does not say, the mail is
        not sent again now."""
        found = next((one.id for one in self._opened.values() if one.name == name), None)
        if found is None:
            return False
        self._run.check()
        try:
            receipt = self._asking.find(recipient, found)
        except MailError:
            with self._run.adding() as session:
                put_off_unknown(session, recipient.id, self._notification.max_retry_attempts)
            return True
        if receipt is None:
            return False
        with self._run.adding() as session:
            note_found(session, recipient.id, receipt.response, receipt.message_id)
        return True
