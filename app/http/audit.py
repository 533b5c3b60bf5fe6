"""What the frame tells the audit log: who acts in this request, and what was refused.

Refusals are bounded: of the same one by the same caller an entry is written at once, and one a minute with how many
there were since; and so many of each caller and in all, so that nobody fills the database by being refused, nor keeps
the refusals of others from being written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import g, request
from prometheus_client import Counter as Metric
from sqlalchemy.exc import SQLAlchemyError

from app.http.platform import transaction
from app.kernel.audit import REFUSED, Act, acting, write_entries
from app.kernel.errors import HeadraceError, Refusal

log = logging.getLogger(__name__)

UNWRITTEN = Metric("headrace_audit_refusals_unwritten", "Refusals that were counted but not written to the audit log")

WINDOW_SECONDS = 60.0
MOST_IN_WINDOW = 600
MOST_OF_ONE = 60
MOST_KNOWN = 10_000
LONGEST_AGENT = 255
LOGGED = (401, 403, 404)
LOGIN = "auth:login"
PREFIX = "/api/v1/"

Kind = tuple[Any, str, str]


@contextmanager
def audited_request(permission: str | None) -> Iterator[None]:
    """Log what a request writes that is more than a reading one."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        yield
        return
    with acting(_act(permission)):
        yield


def _act(permission: str | None) -> Act:
    caller = g.get("principal")
    return Act(
        action=permission or _action_of_route(),
        operation=f"{request.method} {request.url_rule}",
        actor_id=caller and caller.user_id,
        actor=caller and caller.username,
        key_id=caller and caller.key_id,
        address=request.remote_addr,
        user_agent=request.headers.get("User-Agent", "")[:LONGEST_AGENT] or None,
        request_id=g.request_id,
    )


def _action_of_route() -> str:
    """Return the action of a route that takes no permission, such as `auth:login`."""
    parts = [part for part in str(request.url_rule).removeprefix(PREFIX).split("/") if part and "<" not in part]
    return f"{parts[0]}:{parts[-1]}" if parts else "frame:root"


def note_refusal(refusal: Refusal) -> None:
    """Log a refusal of an operation; never fails."""
    operation = g.get("operation")
    if operation is None or not _is_logged(refusal, operation.guard.public):
        return
    act = _act(operation.guard.permission)
    resource_type, resource_id, organization_id = g.get("refused", (None, None, None))
    entry = act.entry(
        outcome=REFUSED,
        code=refusal.code,
        resource_type=resource_type or refusal.details.get("resource_type"),
        resource_id=resource_id or refusal.details.get("resource_id"),
        organization_id=organization_id,
    )
    who = g.principal.counted_as if "principal" in g else act.address
    due = _refusals.admit((who, act.operation, refusal.code), entry)
    try:
        if due:
            with transaction() as session:
                write_entries(session, due)
    except (SQLAlchemyError, HeadraceError) as error:
        UNWRITTEN.inc(len(due))
        log.warning("a refusal could not be written to the audit log: %s", type(error).__name__)


def _is_logged(refusal: Refusal, is_public: bool) -> bool:
    if is_public:
        return _action_of_route() == LOGIN and refusal.status in (*LOGGED, 429)
    return refusal.status in LOGGED


def note_refused(kind: str, row_id: UUID, organization_id: UUID | None) -> None:
    """Note what a refusal that is about to be raised is about."""
    g.refused = (kind, str(row_id), organization_id)


@dataclass(slots=True)
class _Window:
    """The refusals of one kind in a minute: the first was written, `count` came since."""

    began: float
    last: dict[str, Any]
    count: int = 0


class Refusals:
    """Which refusals are to be written now, in this process. A kind is who was refused, what, and why."""

    def __init__(self) -> None:
        self._windows: OrderedDict[Kind, _Window] = OrderedDict()
        self._lock = threading.Lock()
        self._began = float("-inf")
        self._written = 0
        self._of_each: Counter[Any] = Counter()

    def admit(self, kind: Kind, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the entries to be written: this one, unless its like was written a moment ago, and those of kinds
        whose minute is over, with how many there were."""
        now = time.monotonic()
        with self._lock:
            due = self._take_over(now)
            known = self._windows.get(kind)
            if known is not None:
                known.count, known.last = known.count + 1, entry
            else:
                self._windows[kind] = _Window(now, entry)
                due.append((kind, entry))
            return self._bound(due, now)

    def _take_over(self, now: float) -> list[tuple[Kind, dict[str, Any]]]:
        due = []
        while self._windows:
            kind, oldest = next(iter(self._windows.items()))
            if now - oldest.began < WINDOW_SECONDS and len(self._windows) < MOST_KNOWN:
                break
            del self._windows[kind]
            if oldest.count:
                due.append((kind, {**oldest.last, "count": oldest.count}))
        return due

    def _bound(self, due: list[tuple[Kind, dict[str, Any]]], now: float) -> list[dict[str, Any]]:
        if now - self._began >= WINDOW_SECONDS:
            self._began, self._written = now, 0
            self._of_each.clear()
        allowed = [entry for (who, *_), entry in due if self._has_room(who)]
        UNWRITTEN.inc(len(due) - len(allowed))
        return allowed

    def _has_room(self, who: Any) -> bool:
        """Tell whether one more of this caller's is to be written, and count it if so."""
        if self._written >= MOST_IN_WINDOW or self._of_each[who] >= MOST_OF_ONE:
            return False
        self._written += 1
        self._of_each[who] += 1
        return True


_refusals = Refusals()
