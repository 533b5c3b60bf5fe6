"""Every event that any test lets the platform announce is held to the schema that is published of its type."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import orjson
from sqlalchemy.orm import Session

from app.kernel.clock import utc_now
from app.kernel.events import EventRecord
from app.webhooks.bodies import write_body
from app.webhooks.catalogue import find_type


@cache
def _validator(event_type: str) -> Any:
    found = find_type(event_type)
    assert found is not None, f"{event_type} is announced and not listed"
    return jsonschema.Draft202012Validator(found.schema, format_checker=jsonschema.FormatChecker())


def check_announced(session: Session) -> None:
    """Hold what was announced in a transaction to its schema; runs before its commit."""
    for event_id in session.info.get("notes", {}).get("events", []):
        record = session.get_one(EventRecord, event_id)
        assert record.subject, f"{record.type} is about nothing"
        body = write_body(record.id, record.type, record.created_at or utc_now(), record.data)
        _validator(record.type).validate(orjson.loads(body))
