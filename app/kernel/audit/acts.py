"""Acts: what a request is about to do. What its transactions change is collected as it is flushed, and written to the
log by the last hook before the commit, so that a change and its entry are saved together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import Session, UOWTransaction

from app.kernel.audit.changes import CREATED, DELETED, UPDATED, describe, find_computed
from app.kernel.audit.entries import SUCCEEDED, write_entries

COLLECTED = "audit.collected"
CONCERNED = "audit.concerned"
COMPUTED = "audit.computed"
MOST_ENTRIES = 100


@dataclass(slots=True)
class Act:
    """Who does what, from where. `action` is the permission it takes, `operation` the method and route."""

    action: str
    operation: str
    actor_id: UUID | None = None
    actor: str | None = None
    key_id: UUID | None = None
    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    is_written: bool = False

    def entry(self, **fields: Any) -> dict[str, Any]:
        """Return an entry of this act."""
        nothing = {"code": None, "resource_type": None, "resource_id": None, "organization_id": None}
        return {
            "actor_id": self.actor_id,
            "actor": self.actor,
            "key_id": self.key_id,
            "action": self.action,
            "operation": self.operation,
            "outcome": SUCCEEDED,
            "change": None,
            "changes": {},
            "address": self.address,
            "user_agent": self.user_agent,
            "request_id": self.request_id,
            "count": 1,
            **nothing,
            **fields,
        }


_act: ContextVar[Act | None] = ContextVar("headrace.act", default=None)


@contextmanager
def acting(act: Act) -> Iterator[None]:
    """Log what is written in the block as this act."""
    before = _act.set(act)
    try:
        yield
    finally:
        _act.reset(before)


def current_act() -> Act | None:
    """Return what is being done, if it is something that is logged."""
    return _act.get()


def name_actor(user_id: UUID, username: str) -> None:
    """Say who acts in a request that was let in without being known, such as a login."""
    act = _act.get()
    if act is not None and act.actor_id is None:
        act.actor_id, act.actor = user_id, username


def concern(session: Session, resource_type: str, resource_id: UUID, organization_id: UUID | None) -> None:
    """Note what this transaction is about, for an act whose effect does not show in rows that are looked at."""
    if _act.get() is not None:
        session.info.setdefault(CONCERNED, []).append((resource_type, str(resource_id), organization_id))


def note_change(
    session: Session,
    change: str,
    resource_type: str,
    resource_id: UUID,
    organization_id: UUID | None = None,
    **changes: Any,
) -> None:
    """Note a change that was made by a statement of its own, which nothing sees but whoever made it."""
    if _act.get() is not None:
        noted = {"resource_type": resource_type, "resource_id": str(resource_id), "organization_id": organization_id}
        session.info.setdefault(COLLECTED, []).append({**noted, "change": change, "changes": changes})


def write_audit(session: Session) -> None:
    """Write what was collected; a hook of `Database`, before each commit."""
    act = _act.get()
    if act is None:
        return
    session.flush()
    collected, concerned = session.info.pop(COLLECTED, []), session.info.pop(CONCERNED, [])
    entries = [act.entry(**one) for one in collected[:MOST_ENTRIES]]
    if not entries and concerned and not act.is_written:
        resource_type, resource_id, organization_id = concerned[-1]
        entries = [act.entry(resource_type=resource_type, resource_id=resource_id, organization_id=organization_id)]
    if entries:
        act.is_written = True
        write_entries(session, entries)


@event.listens_for(Session, "before_flush")
def _look_ahead(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    if _act.get() is not None:
        session.info[COMPUTED] = {row: found for row in session.dirty if (found := find_computed(row))}


@event.listens_for(Session, "after_flush")
def _collect(session: Session, _context: UOWTransaction) -> None:
    if _act.get() is None:
        return
    rows = [
        *((row, CREATED) for row in session.new),
        *((row, UPDATED) for row in session.dirty),
        *((row, DELETED) for row in session.deleted),
    ]
    computed = session.info.pop(COMPUTED, {})
    found = [said for row, change in rows if (said := describe(row, change, computed.get(row, {}))) is not None]
    if found:
        session.info.setdefault(COLLECTED, []).extend(found)
