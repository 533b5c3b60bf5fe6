"""Looking at alert rules as a worker does, at moments of the test's choice."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import update

from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.monitoring import evaluate_rule, take_due_rules, tell_due
from app.monitoring.models import AlertGroup, AlertRule


class Watcher:
    """Lets rules be looked at as if time had passed: an hour ago it begins, and each look is a minute later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.now = float(int(time.time()) // 60 * 60 - 3600)

    def look(self) -> None:
        """Look at all rules at the newest step, tell what is due, and let a minute pass."""
        with self._database.transaction() as session:
            session.execute(update(AlertRule).values(next_run_at=database_now(), evaluated_at=self.now - 10))
        with self._database.transaction() as session:
            due = take_due_rules(session)
        for rule_id in due:
            with self._database.transaction() as session:
                evaluate_rule(session, rule_id, datetime.fromtimestamp(self.now, UTC))
        self.now += 60
        self.tell()

    def tell(self, *, later: float = 0) -> None:
        """Tell of the groups that are due in so many seconds."""
        with self._database.transaction() as session:
            session.execute(update(AlertGroup).values(due_at=AlertGroup.due_at - sql_seconds(later)))
        with self._database.transaction() as session:
            while tell_due(session):
                pass
