"""The HTTP frame: what is the same for every route. Rooms declare with `Blueprint`, say who may with `requires` or
`public`, reach rows with `load` and `check`, return plain data (or `accepted(...)`, or a `Select` under `paged`), and
raise the kernel's refusals. Envelope, errors, paging, tags, idempotency, limits and documents follow by themselves.
"""

from app.http.assembly import make_api
from app.http.blobs import send_blob
from app.http.blueprint import API_PREFIX, Blueprint
from app.http.bodies import (
    UnsupportedMediaType,
    inspect_values,
    load_fields,
    read_body,
    read_json,
    read_large,
    receive_file,
)
from app.http.documents import FILE_DOC
from app.http.envelope import Reply, accepted, wants_json
from app.http.etags import match_row, note_row
from app.http.event_form import EventSchema
from app.http.guards import check, load, own_client, principal, public, recognizes, requires
from app.http.health import Check, Finding
from app.http.limits import caller_network, limit_caller, limit_rate
from app.http.platform import Platform, platform, transaction
from app.http.rate_limiter import RateLimiter, parse_limits
from app.http.schemas import DayOrMoment, Moment, Schema, Timestamp
from app.http.streams import open_stream, open_websocket
from app.http.uploads import UploadPlaces

__all__ = [
    "API_PREFIX",
    "FILE_DOC",
    "Blueprint",
    "Check",
    "DayOrMoment",
    "EventSchema",
    "Finding",
    "Moment",
    "Platform",
    "RateLimiter",
    "Reply",
    "Schema",
    "Timestamp",
    "UnsupportedMediaType",
    "UploadPlaces",
    "accepted",
    "caller_network",
    "check",
    "inspect_values",
    "limit_caller",
    "limit_rate",
    "load",
    "load_fields",
    "make_api",
    "match_row",
    "note_row",
    "open_stream",
    "open_websocket",
    "own_client",
    "parse_limits",
    "platform",
    "principal",
    "public",
    "read_body",
    "read_json",
    "read_large",
    "receive_file",
    "recognizes",
    "requires",
    "send_blob",
    "transaction",
    "wants_json",
]
