"""Deleting many rows some at a time, so that no transaction is long."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from app.jobs import Run


def forget_all(run: Run, forget: Callable[[Session], int]) -> int:
    """Call `forget`, which deletes some rows and says how many, until it finds none; each call in its transaction."""
    forgotten = 0
    while True:
        run.check()
        with run.recording() as (session, _job):
            batch = forget(session)
        forgotten += batch
        if batch == 0:
            return forgotten
