"""Webhooks, made as clients make them, and the worker's parts that deliver to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.events import Event, announce, undispatched
from app.kernel.ids import new_id
from app.switchboard import dispatch
from app.tenancy import WorkspaceCreated, WorkspaceUpdated
from app.webhooks import Delivery, Patience
from app.webhooks.models import LISTENING, Attempt, Webhook, WebhookHealth
from config.settings import Settings
from tasks.tools import Tools
from tasks.webhooks.sweeping import sweep
from tests.support.identity import Person, data_of
from tests.support.work import Errand, doing, drain
from workers.composition import open_tools

API = "/api/v1"
HOUR = timedelta(hours=1)
QUICK = Patience(schedule=(0.05,) * 7, timeout=30.0)


def make_webhook(client: FlaskClient, person: Any, url: str, **fields: Any) -> dict[str, Any]:
    """Make a webhook and return it with its secret, as the 201 shows it."""
    body = {"url": url, "events": ["workspace.*"], **fields}
    made: dict[str, Any] = data_of(client.post(f"{API}/webhooks", json=body, headers=person.headers), 201)
    return made


@dataclass(frozen=True, slots=True)
class Postman:
    """Dispatches what is announced and delivers what is due."""

    database: Database
    tools: Tools

    FAR: ClassVar[float] = 3600.0

    @classmethod
    def of(cls, database: Database, settings: Settings, folder: Path, **changed: Any) -> Postman:
        """Return one who may go to this machine."""
        settings = replace(settings, data_dir=folder, allow_private_addresses=True, **changed)
        return cls(database, open_tools(settings)).patient(QUICK)

    def patient(self, patience: Patience) -> Postman:
        """Return one with other patience."""
        return replace(self, tools=replace(self.tools, webhooks=replace(self.tools.webhooks, patience=patience)))

    def announce(self, *events: Event) -> None:
        """Let events happen, and what follows from them."""
        for event in events:
            with self.database.transaction() as session:
                announce(session, event)
        self.dispatch()

    def dispatch(self) -> None:
        """Let everything follow from what was announced."""
        with self.database.transaction() as session:
            dispatch(session, session.scalars(undispatched(10_000)).all())

    def deliver(self) -> dict[str, int]:
        """Deliver until nothing is due, and return how many attempts that took and how many succeeded."""
        told = Counter[str]()
        for _ in range(100):
            if not self._is_due():
                return dict(told)
            told.update(self.turn(0.3))
        raise AssertionError(f"something is still due after {told}")

    def _is_due(self) -> bool:
        with self.database.transaction() as session:
            soon = WebhookHealth.due_at <= database_now() + timedelta(seconds=1)
            mine = select(WebhookHealth.webhook_id).join(Webhook, Webhook.id == WebhookHealth.webhook_id)
            return session.execute(mine.where(soon, Webhook.state.in_(LISTENING)).limit(1)).first() is not None

    def turn(self, seconds: float = 0.02) -> dict[str, int]:
        """Deliver for so long, and return what the sweep tells: with the least, what is due now is tried once."""
        told: dict[str, int] = {}

        def deed(run: Any, _: Errand, tools: Any) -> None:
            told.update(sweep(run, tools, seconds))

        with doing(deed):
            with self.database.transaction() as session:
                session.execute(update(Job).where(Job.status == "queued").values(scheduled_for=database_now() + HOUR))
                jobs.accept(session, Errand(new_id()))
            drain(self.database, self.tools)
        return told

    def work(self) -> None:
        """Do what was accepted, but sweep for nobody."""
        with self.database.transaction() as session:
            waiting = update(Job).where(Job.status == "queued", Job.kind == "webhooks.sweep")
            session.execute(waiting.values(scheduled_for=database_now() + HOUR))
        drain(self.database, self.tools)

    def job(self, job_id: str) -> Job:
        """Read a job."""
        with self.database.transaction() as session:
            return session.get_one(Job, UUID(job_id))

    def deliveries(self, webhook_id: str) -> list[Delivery]:
        """Return the deliveries of a webhook, in the order they were written."""
        with self.database.transaction() as session:
            mine = select(Delivery).where(Delivery.webhook_id == UUID(webhook_id))
            return list(session.scalars(mine.order_by(Delivery.created_at, Delivery.id)))

    def attempts(self, webhook_id: str) -> list[Attempt]:
        """Return the attempts of a webhook, in the order they were begun."""
        with self.database.transaction() as session:
            mine = select(Attempt).where(Attempt.webhook_id == UUID(webhook_id))
            return list(session.scalars(mine.order_by(Attempt.begun_at, Attempt.number)))

    def webhook(self, webhook_id: str) -> Webhook:
        """Read a webhook."""
        with self.database.transaction() as session:
            return session.get_one(Webhook, UUID(webhook_id))

    def health(self, webhook_id: str) -> WebhookHealth:
        """Read how a webhook fares."""
        with self.database.transaction() as session:
            return session.get_one(WebhookHealth, UUID(webhook_id))

    def age(self, webhook_id: str, by: timedelta) -> None:
        """Let everything about a webhook lie that much further back."""
        with self.database.transaction() as session:
            mine = Delivery.webhook_id == UUID(webhook_id)
            session.execute(update(Delivery).where(mine).values(next_attempt_at=Delivery.next_attempt_at - by))
            health = update(WebhookHealth).where(WebhookHealth.webhook_id == UUID(webhook_id))
            moved = {name: getattr(WebhookHealth, name) - by for name in ("failing_since", "due_at")}
            session.execute(health.values(moved))


def created(person: Person, name: str = "shop", workspace_id: UUID | None = None) -> WorkspaceCreated:
    """An event of a person's organization."""
    return WorkspaceCreated(person.organization_id, workspace_id or new_id(), name, person.user.id)


def changes(person: Person, workspace_id: UUID, count: int) -> Sequence[WorkspaceUpdated]:
    """So many events about one workspace, each of which can be told from the others."""
    return [WorkspaceUpdated(person.organization_id, workspace_id, (f"field{nth}",)) for nth in range(count)]
