"""The relay: sends the hints that were lost, takes jobs from workers that were lost, dispatches events.

It needs the database alone; with the broker away it goes on trying. Several relays may run beside each other.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence

from celery import Celery
from kombu.exceptions import ChannelError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import jobs
from app.kernel.db import Database
from app.kernel.events import is_undispatched, may_dispatch, undispatched
from app.switchboard import dispatch
from config.logs import set_up_logging
from config.settings import Settings, load_settings
from workers.composition import open_worker_database
from workers.messages import make_celery
from workers.sender import CelerySender

log = logging.getLogger(__name__)

DISPATCH_PATIENCE = "60s"
DISPATCH_SECONDS = 0.25


class Relay:
    """Looks every `interval` seconds."""

    def __init__(self, database: Database, celery: Celery, settings: Settings) -> None:
        self._database = database
        self._celery = celery
        self._sender = CelerySender(celery)
        self._settings = settings

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; between two looks, only events are dispatched, which somebody waits for."""
        while not stop.is_set():
            self.look()
            ends = time.monotonic() + self._settings.relay_interval_seconds
            pause = DISPATCH_SECONDS
            while (left := ends - time.monotonic()) > 0 and not stop.wait(min(left, pause)):
                # An outage is looked at again at the next look.
                pause = pause if self._do((self.dispatch_events,)) else left

    def look(self) -> None:
        """Do everything once; a database that is away is waited for, and a fault in one duty keeps no other back."""
        self._do((self.send_lost, self.reap_when_sure, self.dispatch_events, self.fold_changes))

    def _do(self, duties: Sequence[Callable[[], object]]) -> bool:
        """Do some duties; False when the database is away."""
        for duty in duties:
            try:
                duty()
            except SQLAlchemyError as error:
                log.warning("the database is away", extra={"error": type(error).__name__})
                return False
            except Exception:
                log.exception("the relay failed in one of its duties", extra={"duty": getattr(duty, "__name__", "")})
        return True

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
        while self._has_events():
            self.watch()
            with self._database.transaction() as session:
                # Whoever stands still here would keep all others from dispatching.
                session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{DISPATCH_PATIENCE}'"))
                records = session.execute(undispatched()).scalars().all() if may_dispatch(session) else []
                dispatch(session, records)
            if not records:
                return

    def _has_events(self) -> bool:
        with self._database.looking() as connection:
            return connection.execute(is_undispatched).first() is not None

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
