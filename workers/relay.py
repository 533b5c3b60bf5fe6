"""The relay: sends the hints that were lost, takes jobs from workers that were lost, dispatches events.

It needs the database alone; with the broker away it goes on trying. Several relays may run beside each other.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence

from celery import Celery
from kombu.exceptions import ChannelError
from sqlalchemy.exc import SQLAlchemyError

from app import jobs
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.events import undispatched
from app.switchboard import dispatch
from config.logs import set_up_logging
from config.settings import Settings, load_settings
from workers.composition import open_worker_database
from workers.messages import make_celery
from workers.sender import CelerySender

log = logging.getLogger(__name__)


class Relay:
    """Looks every `interval` seconds."""

    def __init__(self, database: Database, celery: Celery, settings: Settings) -> None:
        self._database = database
        self._celery = celery
        self._sender = CelerySender(celery)
        self._settings = settings

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(self._settings.relay_interval_seconds)

    def look(self) -> None:
        """Do everything once; a database that is away is waited for, and a fault in one duty keeps no other back."""
        for duty in (self.send_lost, self.reap_when_sure, self.dispatch_events, self.fold_changes):
            try:
                duty()
            except SQLAlchemyError as error:
                log.warning("the database is away", extra={"error": type(error).__name__})
                return
            except Exception:
                log.exception("the relay failed in one of its duties", extra={"duty": duty.__name__})

    def send_lost(self) -> None:
        """Send again what was never sent, or was sent long ago and is not in the broker any more, and what is held
        although there is a place for it."""
        crowded = self._crowded()
        with self._database.transaction() as session:
            jobs.let_in_all(session)
            hints = jobs.take_unsent(session, self._settings.relay_resend_seconds, crowded)
        if hints:
            log.info("sending hints again", extra={"count": len(hints)})
            jobs.send_or_mark(self._database, self._sender, hints)

    def reap_when_sure(self) -> None:
        """Reap, once the database has been there for a whole lease."""
        if self.watch():
            self.reap()

    def watch(self) -> bool:
        """Say that the database is here, and return whether it has been for a whole lease."""
        with self._database.transaction() as session:
            return jobs.keep_watch(session, self._settings.job_lease_seconds)

    def reap(self) -> None:
        """Take the jobs of workers that stopped beating, each in its own transaction."""
        with self._database.transaction() as session:
            lost = session.execute(jobs.expired()).scalars().all()
        for job_id in lost:
            with self._database.transaction() as session:
                jobs.reap(session, job_id)

    def dispatch_events(self) -> None:
        """Turn announced events into what follows from them, in order, a batch a transaction."""
        while True:
            self.watch()
            with self._database.transaction() as session:
                records = session.execute(undispatched()).scalars().all()
                for record in records:
                    dispatch(session, record)
                    record.dispatched_at = session.execute(database_now().select()).scalar_one()
            if not records:
                return

    def fold_changes(self) -> None:
        """Add what happened to jobs to the totals that Prometheus reads."""
        more = True
        while more:
            self.watch()
            with self._database.transaction() as session:
                more = jobs.fold_changes(session)

    def _crowded(self) -> Sequence[str]:
        with self._database.transaction() as session:
            waiting = jobs.count_waiting(session)
        return [queue for queue, count in waiting.items() if self._length(queue) >= count]

    def _length(self, queue: str) -> int:
        try:
            with self._celery.connection_for_read() as connection:
                return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:
            return 0  # Redis knows no queue that is empty
        except Exception as error:  # noqa: BLE001 - brokers fail in the ways of their own libraries
            log.warning("the broker is away", extra={"error": repr(error)})
            return 0


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    handler: Callable[[int, object], None] = lambda *_: stop.set()  # noqa: E731 - a handler is an expression here
    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
    return stop


def main() -> None:
    """Run the relay until it is told to stop."""
    settings = load_settings()
    set_up_logging(settings, "relay")
    database = open_worker_database(settings, pool_size=2)
    Relay(database, make_celery(settings.broker, socket_timeout=2.0), settings).run(stop_on_signals())


if __name__ == "__main__":
    main()
