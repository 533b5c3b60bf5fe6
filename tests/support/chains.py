"""What follows from what: jobs and events done in turn until nothing is left."""

from __future__ import annotations

from app.kernel.clock import database_now
from app.kernel.events import undispatched
from app.switchboard import dispatch
from tests.support.pipelines import Engine


def settle(engine: Engine) -> None:
    """Do what is due and dispatch what was announced, until nothing is left."""
    while True:
        done = engine.drain()
        with engine.database.transaction() as session:
            records = session.scalars(undispatched()).all()
            for record in records:
                dispatch(session, record)
                record.dispatched_at = session.scalars(database_now().select()).one()
        if not done and not records:
            return
