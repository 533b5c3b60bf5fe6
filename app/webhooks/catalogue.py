"""Every type of event there is, with the schema of what receivers get and an example; read off the events' classes."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from app.kernel.events import EVENTS, Announcement
from app.webhooks import events as _events

every_event = _events

AREAS: Final = frozenset(
    {"organization", "workspace", "project", "pipeline", "execution", "cluster", "alert", "anomaly", "problem"}
    | {"recommendation", "room", "message", "notification", "client", "billing", "webhook", "provisioning"}
)
"""What events are about; a room that is not there yet announces nothing, and may be listened to already."""

DIGEST_TYPE: Final = "webhook.digest"
SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
MOMENT: Final = "2026-01-31T12:00:00.000Z"
_IDS: Final = UUID("0198c000-0000-7000-8000-000000000000")
_PLAIN: Final[Mapping[Any, dict[str, Any]]] = {
    UUID: {"type": "string", "format": "uuid"},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    dict: {"type": "object"},
    Any: {},
}
_EXAMPLES: Final[Mapping[str, Any]] = {
    "name": "production",
    "status": "succeeded",
    "previous_status": "pending",
    "new_status": "active",
    "role": "member",
    "previous_role": "viewer",
    "new_role": "member",
    "number": 42,
    "provider": "kubeconfig",
    "changed": ["name"],
}
_BY_TYPE: Final[Mapping[str, Any]] = {
    "string": "text",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event: what it tells, and the schema and an example of what receivers get."""

    type: str
    description: str
    schema: dict[str, Any]
    example: dict[str, Any]


def list_types() -> list[EventType]:
    """Return all types of events, in order."""
    return [_describe(EVENTS[name]) for name in sorted(EVENTS)]


def find_type(name: str) -> EventType | None:
    """Return a type of event."""
    found = EVENTS.get(name)
    return None if found is None else _describe(found)


def find_pattern_fault(pattern: str) -> str | None:
    """Return why `*`, `cluster.*` or `cluster.created` can never match an event, or None."""
    if pattern == "*":
        return None
    area, _, rest = pattern.partition(".")
    known = {name.partition(".")[0] for name in EVENTS}
    if area not in AREAS | known:
        return "names nothing that there are events of: see GET /event-types"
    if not rest or (area in known and not any(matches([pattern], name) for name in EVENTS)):
        return "matches no event: see GET /event-types"
    return None


def matches(patterns: Iterable[str], event_type: str) -> bool:
    """Tell whether an event is among those that an endpoint is told of."""
    return any(
        pattern in ("*", event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
        for pattern in patterns
    )


def passes(filters: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Tell whether an event gets through an endpoint's filters: one that names a resource of a filtered kind must name
    one of those; one that names none is not held back."""
    return all(data.get(name) is None or data[name] in ids for name, ids in filters.items())


def example_data(name: str) -> dict[str, Any] | None:
    """Return the data of a type's example; None for a type that does not exist."""
    found = find_type(name)
    return None if found is None else dict(found.example["data"])


def _describe(event: type[Announcement]) -> EventType:
    described = (event.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
    data = _data_schema(event)
    schema = {
        "$schema": SCHEMA,
        "title": event.type,
        "description": described,
        "type": "object",
        "required": ["id", "type", "timestamp", "data"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "type": {"const": event.type},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
            "subject": {"type": "string", "description": "What it is about; where the endpoint is ordered"},
            "sequence": {"type": "integer", "minimum": 1, "description": "Its number among those of its subject"},
        },
        "additionalProperties": False,
    }
    example = {name: _example(name, one, event.type) for name, one in data["properties"].items()}
    whole = {"id": str(uuid5(_IDS, event.type)), "type": event.type, "timestamp": MOMENT, "data": example}
    return EventType(event.type, described, schema, whole)


def _data_schema(event: type[Announcement]) -> dict[str, Any]:
    hints = typing.get_type_hints(event)
    fields = {field.name: _schema_of(hints[field.name]) for field in dataclasses.fields(event)}
    return {"type": "object", "required": list(fields), "properties": fields, "additionalProperties": False}


def _schema_of(hint: Any) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [*(_schema_of(one) for one in inner if one is not types.NoneType), {"type": "null"}]}
    if origin in (tuple, list):
        return {"type": "array", "items": _schema_of(inner[0])}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return {"type": "object"}
    return dict(_PLAIN[hint])


def _example(name: str, schema: Mapping[str, Any], event_type: str) -> Any:
    if "anyOf" in schema:
        return _example(name, schema["anyOf"][0], event_type)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "uuid":
        return str(uuid5(_IDS, name))
    if name.endswith("_at"):
        return MOMENT
    kind = schema.get("type", "null")
    found = _EXAMPLES.get(name, _BY_TYPE[kind])
    return found if _is_of(kind, found) else _BY_TYPE[kind]


def _is_of(kind: str, value: Any) -> bool:
    return isinstance(value, type(_BY_TYPE[kind]))
