"""Sends hints to the broker, one Celery message each: a task named for the job's kind, with the job's id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from uuid import UUID

from celery import Celery

from app.jobs import Hint
from config.settings import Settings
from workers.messages import make_celery

log = logging.getLogger(__name__)

HINT_SECONDS = 3600
SEND_SECONDS = 2.0


class CelerySender:
    """A listener for `jobs` notes. What the broker does not take is told to `on_unsent`; the relay sends it later."""

    def __init__(self, celery: Celery, *, on_unsent: Callable[[Sequence[UUID]], None] | None = None) -> None:
        self._celery = celery
        self._on_unsent = on_unsent

    @classmethod
    def from_settings(cls, settings: Settings) -> CelerySender:
        """Return a sender that never keeps a request waiting for longer than two seconds."""
        return cls(make_celery(settings.broker, socket_timeout=SEND_SECONDS))

    def when_unsent(self, callback: Callable[[Sequence[UUID]], None]) -> None:
        """Call `callback` with the ids of the jobs whose hints could not be sent."""
        self._on_unsent = callback

    def send(self, hints: Sequence[Hint]) -> None:
        """Send the hints; the first failure gives up the rest, since one broker serves them all."""
        for place, hint in enumerate(hints):
            try:
                self._send_one(hint)
            except Exception as error:  # noqa: BLE001 - brokers fail in the ways of their own libraries
                log.warning("the broker did not take a hint", extra={"job_id": hint.job_id, "error": repr(error)})
                if self._on_unsent:
                    self._on_unsent([unsent.job_id for unsent in hints[place:]])
                return

    def _send_one(self, hint: Hint) -> None:
        self._celery.send_task(
            hint.kind,
            args=(str(hint.job_id),),
            task_id=f"{hint.job_id}.{hint.attempt}",
            queue=hint.queue,
            priority=hint.priority,
            expires=HINT_SECONDS,
            retry=False,
            ignore_result=True,
        )
