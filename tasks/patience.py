"""Patience: work that may hold through an outage of the database tries its records again until they are written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.jobs import Stoppable
from app.kernel.errors import Transient
from app.kernel.outages import outage_of

log = logging.getLogger(__name__)

PAUSE = 1.0
PATIENCE = 600.0

Written = TypeVar("Written")


def patiently(run: Stoppable, write: Callable[[], Written]) -> Written:
    """Call `write` until it succeeds; gives up after ten minutes, or at once when this attempt must end anyway."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return write()
        except (SQLAlchemyError, Transient) as error:
            if run.should_stop() or time.monotonic() > deadline or not _passes(error):
                raise
            log.warning("waiting to record", extra={"error": type(error).__name__})
            time.sleep(PAUSE)


def _passes(error: Exception) -> bool:
    return isinstance(error, Transient) or outage_of(error) is not None
