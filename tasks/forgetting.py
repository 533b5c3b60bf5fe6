"""Deleting many rows some at a time, so that no transaction is long, and files with theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.orm import Session

from app.jobs import Run
from app.kernel.store import BlobStore

File = TypeVar("File")


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


def forget_files(
    run: Run,
    store: BlobStore,
    unclaimed: Callable[[Session], Sequence[File]],
    place: Callable[[File], str],
    forget: Callable[[Session, Sequence[File]], None],
) -> int:
    """Delete the `unclaimed` files, some at a time, and return how many there were: first the bytes at their `place` in
    the store, then the rows, so that nothing is left that nobody names. Raises StoreAway."""
    forgotten = 0
    while True:
        run.check()
        with run.reading() as session:
            gone = unclaimed(session)
        if not gone:
            return forgotten
        for file in gone:
            store.delete(place(file))
        with run.recording() as (session, _job):
            forget(session, gone)
        forgotten += len(gone)
