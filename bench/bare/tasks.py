"""Celery as it comes, and tasks that do nothing."""

from __future__ import annotations

import time

import redis
from celery import Celery

from bench.bare.names import COUNTED, NOTHING, QUEUE, STARTED
from config.settings import load_settings

settings = load_settings()
celery = Celery("bare", broker=settings.redis_url, backend=settings.redis_url)
celery.conf.update(
    task_default_queue=QUEUE,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
client = redis.Redis.from_url(settings.redis_url)


@celery.task(name=NOTHING, ignore_result=True)
def nothing(_subject: str) -> None:
    """Do nothing."""


@celery.task(name=COUNTED, ignore_result=True)
def counted(_subject: str) -> None:
    """Tell when it was started."""
    client.rpush(STARTED, time.time())
