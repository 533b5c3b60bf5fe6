"""Reading the audit log: filtered, and exported line by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, or_, select, tuple_

from app.kernel.audit import AuditEntry
from app.kernel.db import Database
from app.kernel.errors import FieldError, Invalid

BATCH = 1000
# What a spreadsheet takes for the start of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Form = Callable[[AuditEntry], dict[str, Any]]


def filter_entries(filters: Mapping[str, Any]) -> Select[AuditEntry]:
    """Select entries; filters: actor action resource_type resource_id organization_id outcome start_date end_date."""
    entries = select(AuditEntry)
    for name in ("resource_type", "resource_id", "organization_id", "outcome"):
        if name in filters:
            entries = entries.where(getattr(AuditEntry, name) == filters[name])
    if "actor" in filters:
        entries = entries.where(_is_actor(filters["actor"]))
    if "action" in filters:
        action = filters["action"]
        exact = AuditEntry.action == action
        entries = entries.where(exact if ":" in action else AuditEntry.action.startswith(f"{action}:", autoescape=True))
    if "start_date" in filters:
        entries = entries.where(AuditEntry.at >= _moment("start_date", filters["start_date"]))
    if "end_date" in filters:
        entries = entries.where(AuditEntry.at < _moment("end_date", filters["end_date"], is_end=True))
    return entries


def _is_actor(text: str) -> Any:
    try:
        return or_(AuditEntry.actor_id == UUID(text), AuditEntry.actor == text)
    except ValueError:
        return AuditEntry.actor == text


def _moment(field: str, text: str, *, is_end: bool = False) -> datetime:
    """Read a date or a moment; a date at the end of a span is meant whole."""
    try:
        if len(text) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=1) if is_end else day
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise Invalid(errors=[FieldError(field, "Is neither a date nor a moment.")]) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def export_entries(database: Database, entries: Select[AuditEntry], form: Form, as_csv: bool) -> Iterator[bytes]:
    """Yield entries, oldest first, as lines of JSON or of CSV; never more of them at once than a batch."""
    shaped = (form(entry) for entry in _walk(database, entries))
    return _as_csv(shaped) if as_csv else (orjson.dumps(entry) + b"\n" for entry in shaped)


def _walk(database: Database, entries: Select[AuditEntry]) -> Iterator[AuditEntry]:
    """Yield entries batch by batch, each in a transaction of its own: a slow reader holds none open."""
    ordered = entries.order_by(AuditEntry.at, AuditEntry.id).limit(BATCH)
    batch = _read(database, ordered)
    while batch:
        yield from batch
        after = tuple_(AuditEntry.at, AuditEntry.id) > (batch[-1].at, batch[-1].id)
        batch = _read(database, ordered.where(after)) if len(batch) == BATCH else []


def _read(database: Database, entries: Select[AuditEntry]) -> list[AuditEntry]:
    with database.transaction() as session:
        return list(session.scalars(entries))


def _as_csv(entries: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for number, entry in enumerate(entries):
        if number == 0:
            yield _line(entry.keys())
        yield _line(_cell(value) for value in entry.values())


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    text = "" if value is None else orjson.dumps(value).decode() if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
