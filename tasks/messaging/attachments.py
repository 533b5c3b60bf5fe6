"""Deleting files that no message carries: first the bytes, then the rows, so that nothing is left that nobody names."""

from __future__ import annotations

from app.jobs import Run
from app.messaging import forget_attachments, unclaimed
from tasks.tools import Tools


def delete_attachments(run: Run, tools: Tools) -> int:
    """Delete what is to go, some hundreds a transaction; returns how many. Raises StoreAway."""
    deleted = 0
    while True:
        run.check()
        with run.reading() as session:
            gone = unclaimed(session)
        if not gone:
            return deleted
        for attachment in gone:
            tools.artifact_store.delete(attachment.folder)
        with run.recording() as (session, _):
            forget_attachments(session, gone)
        deleted += len(gone)
