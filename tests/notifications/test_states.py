"""What may become of a notification and of its recipients, and what may not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from app.kernel.clock import utc_now
from app.notifications.errors import IllegalMove
from app.notifications.models import RECIPIENT_STATUSES, STATUSES, Notification, Recipient

ACTS: dict[str, Callable[[Notification], None]] = {
    "begin": Notification.begin,
    "wait": Notification.wait,
    "finish": lambda one: one.finish("sent", utc_now()),
    "cancel": lambda one: one.cancel(utc_now()),
    "retry": Notification.retry,
}
MAY = {
    "scheduled": {"begin", "cancel"},
    "pending": {"begin", "cancel"},
    "processing": {"begin", "wait", "finish", "cancel"},
    "retrying": {"begin", "cancel"},
    "sent": set[str](),
    "partial": {"retry"},
    "failed": {"retry"},
    "cancelled": {"retry"},
}
ENDS = {"complained", "suppressed"}
TOLD = {"delivered", "bounced", "complained"}


@pytest.mark.parametrize("status", STATUSES)
def test_a_notification_moves_as_it_may_and_not_otherwise(status: str) -> None:
    for name, act in ACTS.items():
        notification = Notification(status=status)
        with nullcontext() if name in MAY[status] else pytest.raises(IllegalMove, match=status):
            act(notification)
        assert name in MAY[status] or notification.status == status


@pytest.mark.parametrize("status", RECIPIENT_STATUSES)
def test_a_recipient_that_was_handed_over_waits_no_more_and_one_that_was_not_is_not_told_of(status: str) -> None:
    for other in RECIPIENT_STATUSES:
        is_over = status in ENDS or (status in {"sent", *TOLD} and other not in TOLD)
        was_not_sent = other in TOLD and status not in {"sent", *TOLD}
        if is_over or was_not_sent:
            with pytest.raises(IllegalMove):
                Recipient(status=status).move(other)
