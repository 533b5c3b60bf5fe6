"""The Celery application that workers, beat and Flower run: one task for each kind of job, named for it."""

from __future__ import annotations

import ctypes
import functools
import logging
import signal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import billiard.pool
from billiard.process import current_process
from celery import Celery
from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

import tasks.every
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.opening import open_database
from config.logs import set_up_logging
from config.settings import Settings, load_settings
from config.tracing import set_up_tracing
from tasks.handling import HANDLERS
from workers.beat import ACCEPT_DUE, SCHEDULE, accept_due
from workers.board import Board
from workers.composition import choose_containers, open_tools, open_worker_database, worker_name
from workers.guard import Guard
from workers.heart import StopFlag
from workers.messages import make_celery
from workers.runtime import Runtime
from workers.sweeper import Sweeper

if TYPE_CHECKING:
    from app.kernel.otel import OpenTelemetry

PR_SET_PDEATHSIG = 1
# Ten a second.
RESULT_LOOKS = 10
# Celery's two lines for each hint; the runtime writes one for each attempt.
TALKATIVE = ("celery.worker.strategy", "celery.app.trace")


@functools.cache
def settings() -> Settings:
    """Return the settings, read once."""
    return load_settings()


stopping = StopFlag(settings().job_stop_seconds)
board = Board()


@functools.cache
def database() -> Database:
    """Return this process's database, opened at its first job: connections must not be shared over a fork."""
    return open_worker_database(settings())


@functools.cache
def tracer() -> OpenTelemetry | None:
    """Return what this process tells its spans to, if they are told at all."""
    return set_up_tracing(settings(), "worker")


@functools.cache
def runtime() -> Runtime:
    """Return this process's runtime."""
    configured = settings()
    return Runtime(
        database(),
        open_tools(configured),
        worker=worker_name(),
        lease=configured.job_lease_seconds,
        poll=configured.job_poll_seconds,
        stopping=stopping,
        board=board,
    )


def _run_job(job_id: str) -> bool:
    return runtime().run_job(UUID(job_id))


def _accept_due(kind: str) -> None:
    accept_due(database(), kind)


def build() -> Celery:
    """Return the application with all its tasks."""
    celery = make_celery(settings().broker)
    for kind in HANDLERS:
        celery.task(name=kind, shared=False)(_run_job)
    celery.task(name=ACCEPT_DUE, shared=False)(_accept_due)
    celery.conf.beat_schedule = SCHEDULE
    return celery


@setup_logging.connect
def _log(**_: Any) -> None:
    set_up_logging(settings(), "worker")
    for name in TALKATIVE if settings().log_level != "DEBUG" else ():
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_process_init.connect
def _end_without_being_counted(**_: Any) -> None:
    """Shorten how long a pool process that ends waits for its worker to have read its results, which mean nothing here:
    where one was lost, a worker that is told to stop would take half a minute longer than its jobs."""
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = RESULT_LOOKS


@worker_process_init.connect
def _take_a_slot(**_: Any) -> None:
    board.take(current_process().index)


@worker_ready.connect
def _keep_guard(**_: Any) -> None:
    Guard(open_database(settings().database_url, None, pool_size=1), board).start()


@worker_ready.connect
def _sweep_containers(**_: Any) -> None:
    if containers := choose_containers(settings()):
        database = open_database(settings().database_url, None, pool_size=1)
        Sweeper(database, containers, Vault(*settings().secret_keys)).start()


@worker_process_init.connect
def _die_with_parent(**_: Any) -> None:
    """Ask the kernel to kill a pool process whose worker was killed, so that none goes on unseen."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@worker_process_init.connect
def _trace(**_: Any) -> None:
    tracer()


@worker_process_shutdown.connect
def _tell_the_rest(**_: Any) -> None:
    if told := tracer():
        told.close()


@worker_shutting_down.connect
def _note_shutdown(**_: Any) -> None:
    stopping.set()


every_task_is_registered = tasks.every
app = build()
