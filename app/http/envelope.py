"""The envelope: how data and refusals leave, and the id by which a request is known."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import marshmallow as ma
import orjson
from flask import Response, g, request
from flask.json.provider import JSONProvider

from app.kernel.clock import format_time, utc_now
from app.kernel.version import VERSION

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

_TOKEN = re.compile(r"[A-Za-z0-9._:+/=@~-]{1,128}")


class OrjsonProvider(JSONProvider):
    """Flask's JSON, by orjson; moments in the contract's form."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """Return the JSON text of `obj`."""
        return dump_json(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Return what the JSON text says."""
        return orjson.loads(s)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a view returns when data alone does not say it: another status, headers, or the job that goes on. A header
    sent several times has a list of values.

    `schema` dumps the data when it is not of the route's own form.
    """

    data: Any
    status: int | None = None
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)
    job_id: UUID | None = None
    schema: ma.Schema | None = None


def dump_json(value: Any) -> bytes:
    """Return JSON; moments as RFC 3339 in UTC with milliseconds."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: Any) -> Any:
    if hasattr(value, "astimezone"):
        return format_time(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def take_request_id() -> str:
    """Return the caller's X-Request-ID when it is a plain token, else a new one."""
    given = request.headers.get("X-Request-ID", "")
    return given if _TOKEN.fullmatch(given) else f"req_{secrets.token_hex(12)}"


def meta() -> dict[str, Any]:
    """Return what this reply says of itself."""
    return {"request_id": g.request_id, "timestamp": format_time(utc_now()), "version": VERSION}


def envelope(data: Any, status: int = 200, *, pagination: Mapping[str, Any] | None = None) -> Response:
    """Return a reply with `data` in its envelope."""
    about = meta()
    if pagination is not None:
        about["pagination"] = pagination
    return Response(dump_json({"data": data, "meta": about}), status, mimetype=JSON)


def accepted(data: Any, job_id: UUID) -> Reply:
    """Return the 202 of work that a job does: `data` is the resource it concerns, dumped by the route's schema."""
    return Reply(data, 202, {"Location": f"/api/v1/jobs/{job_id}", "Retry-After": "1"}, job_id)


def wants_json() -> bool:
    """Tell whether the caller of a route that can stream would rather have JSON; one that does not say streams."""
    return request.accept_mimetypes.best_match([EVENT_STREAM, JSON]) == JSON
