"""Sends hints to the broker, one Celery message each: a task named for the job's kind, with the job's id."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from celery import Celery

from app.jobs import Hint
from app.kernel.breaker import Breaker
from config.settings import Settings
from workers.messages import make_celery

log = logging.getLogger(__name__)

HINT_SECONDS = 3600
SEND_SECONDS = 1.0
REST_SECONDS = 3.0
AT_ONCE_SECONDS = 0.2


class CelerySender:
    """Carries hints by the broker that workers listen to."""

    def __init__(self, celery: Celery, rest: float = 0.0) -> None:
        self._celery = celery
        self._breaker = Breaker(rest)
        self._local = threading.local()

    @classmethod
    def from_settings(cls, settings: Settings) -> CelerySender:
        """Return a sender that keeps a request waiting for a second at most, and of those that come while the broker
        is away only one every few seconds."""
        return cls(make_celery(settings.broker, socket_timeout=SEND_SECONDS), REST_SECONDS)

    def send(self, hints: Sequence[Hint], /) -> Sequence[UUID]:
        """Send the hints and return the ids of those that could not be; the first failure gives up the rest, since one
        broker serves them all."""
        if not self._breaker.allows():
            return [hint.job_id for hint in hints]
        for place, hint in enumerate(hints):
            try:
                self._send_patiently(hint)
            except Exception as error:  # noqa: BLE001 - brokers fail in the ways of their own libraries
                log.warning("the broker did not take a hint", extra={"job_id": hint.job_id, "error": repr(error)})
                self._forget_producer()
                self._breaker.failed()
                return [unsent.job_id for unsent in hints[place:]]
        self._breaker.succeeded()
        return []

    def _send_patiently(self, hint: Hint) -> None:
        """Send a hint; where the connection turns out to be closed, which shows at once, by a new one."""
        rested, began = hasattr(self._local, "producer"), time.monotonic()
        try:
            self._send_one(hint)
        except Exception:
            if not rested or time.monotonic() - began > AT_ONCE_SECONDS:
                raise
            self._forget_producer()
            self._send_one(hint)

    def _send_one(self, hint: Hint) -> None:
        # What Celery's send_task does, without its pool, router, repr and signals, which take half of its time. There
        # is no `expires`: a worker holds it against its own clock, and never again takes a message of an id that was
        # too old once, however often the relay sends it. A broker that can forget a message by itself may.
        amqp, job_id = self._celery.amqp, str(hint.job_id)
        message = amqp.as_task_v2(
            f"{job_id}.{hint.attempt}",
            hint.kind,
            (job_id,),
            ignore_result=True,
            argsrepr=f"('{job_id}',)",
            kwargsrepr="{}",
        )
        self._producer().publish(
            message.body,
            routing_key=hint.queue,
            declare=[amqp.queues[hint.queue]],
            headers=message.headers,
            priority=hint.priority,
            expiration=HINT_SECONDS,
            serializer="json",
            **message.properties,
        )

    def _producer(self) -> Any:
        """Return this thread's producer, on a connection of its own: not every transport's may be shared."""
        producer = getattr(self._local, "producer", None)
        if producer is None:
            producer = self._local.producer = self._celery.amqp.Producer(self._celery.connection_for_write())
        return producer

    def _forget_producer(self) -> None:
        producer = self._local.__dict__.pop("producer", None)
        if producer is not None:
            producer.connection.release()
