"""The sweeper: a thread of the worker itself that takes away the containers which killed workers left behind.

Not a job: those are done by whichever worker is free, and an engine is known to the workers of its own host alone.
"""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.errors import HeadraceError
from tasks.pipelines.gateways.containers import Containers
from tasks.pipelines.sweep import sweep

log = logging.getLogger(__name__)

PERIOD = 30.0
# Each worker asks each cluster.
PERIOD_ON_CLUSTERS = 120.0


class Sweeper(threading.Thread):
    """Sweeps when the worker starts, and every half minute; clusters, which all workers know, every other minute."""

    def __init__(self, database: Database, containers: Containers, vault: Vault) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._database = database
        self._containers = containers
        self._vault = vault

    def run(self) -> None:
        """Sweep for as long as the worker lives; an engine or a database that is away is waited for."""
        while True:
            try:
                sweep(self._database, self._containers, self._vault)
            except (HeadraceError, SQLAlchemyError) as error:
                log.warning("containers cannot be swept now", extra={"error": type(error).__name__})
            except Exception:
                log.exception("the sweeper failed")
            time.sleep(PERIOD_ON_CLUSTERS if self._containers.on_clusters else PERIOD)
