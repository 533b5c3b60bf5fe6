"""What follows from what: jobs and events done in turn until nothing is left."""

from __future__ import annotations

from app.kernel.events import undispatched
from app.switchboard import dispatch
from tests.support.pipelines import Engine


def settle(engine: Engine) -> None:
    """Do what is due and dispatch what was announced, until nothing is left."""
    while True:
        done = engine.drain()
        with engine.database.transaction() as session:
            records = session.scalars(undispatched()).all()
            dispatch(session, records)
        if not done and not records:
            return
