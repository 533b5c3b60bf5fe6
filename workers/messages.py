"""The Celery application's configuration: messages are hints, so they are acknowledged early and never redelivered.

Early acknowledgement and no prefetch are what a kill or a Redis restart leaves whole: late acknowledgement runs a task
three times after two connection resets, and loses messages all the same. Delays, retries and graphs are rows.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Queue  # type: ignore[attr-defined]

from config.queues import QUEUES

REDIS_PRIORITY_STEPS = list(range(10))
WORKER_SOCKET_TIMEOUT = 5.0


def make_celery(broker: str, *, socket_timeout: float | None = None) -> Celery:
    """Return a Celery application on `broker`.

    With a `socket_timeout`, in seconds, what the broker does not answer by then fails and is not tried again: for
    processes that somebody waits for. Workers wait until it is back.
    """
    celery = Celery("headrace", broker=broker, set_as_current=False)
    celery.conf.update(
        task_queues=[Queue(name, routing_key=name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue="default",
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_max_tasks_per_child=200,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(broker, socket_timeout),
        event_queue_expires=60,
        enable_utc=True,
        timezone="UTC",
    )
    return celery


def _transport_options(broker: str, socket_timeout: float | None) -> dict[str, Any]:
    # Without this kombu tries to connect for six seconds.
    trying = {} if socket_timeout is None else {"max_retries": 0, "interval_start": 0}
    if not broker.startswith(("redis", "valkey")):
        return {"confirm_publish": True, **trying}
    return {
        **trying,
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": socket_timeout or WORKER_SOCKET_TIMEOUT,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "queue_order_strategy": "priority",
        "priority_steps": REDIS_PRIORITY_STEPS,
    }
