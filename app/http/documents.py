"""What the OpenAPI document says of an operation: derived from its declarations, so that nothing is said twice."""

from __future__ import annotations

import functools
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import marshmallow as ma
from marshmallow import fields

from app.http.envelope import JSON
from app.http.schemas import ErrorReply, ListMeta, Meta, Problem

if TYPE_CHECKING:
    from app.http.operations import Operation

PROBLEM = "application/problem+json"
BINARY = "application/octet-stream"
# A download is of the type that it is.
ANYTHING = "*/*"
# What a route says of itself (`doc`) whose body is a file.
FILE_DOC: dict[str, Any] = {
    "requestBody": {"required": True, "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}
}

KEY_PARAMETER = "IdempotencyKey"
IF_MATCH = "IfMatch"
IF_NONE_MATCH = "IfNoneMatch"

PARAMETERS: dict[str, dict[str, Any]] = {
    "IdempotencyKey": {
        "in": "header",
        "name": "Idempotency-Key",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "Makes the request safe to send again: for 24 hours the same key gets the first reply.",
    },
    "IfMatch": {
        "in": "header",
        "name": "If-Match",
        "schema": {"type": "string"},
        "description": "The ETag of the resource as it was read; 412 when it has changed since.",
    },
    "IfNoneMatch": {
        "in": "header",
        "name": "If-None-Match",
        "schema": {"type": "string"},
        "description": "The ETag of the reply the caller has; 304 when it would be the same.",
    },
}

HEADERS: dict[str, dict[str, Any]] = {
    "RequestId": {"description": "The id of this request", "schema": {"type": "string"}},
    "RateLimitLimit": {"description": "Requests the tightest limit allows", "schema": {"type": "integer"}},
    "RateLimitRemaining": {"description": "Requests left of it", "schema": {"type": "integer"}},
    "RateLimitReset": {"description": "When its window ends, in epoch seconds", "schema": {"type": "integer"}},
    "RetryAfter": {"description": "Seconds to wait", "schema": {"type": "integer"}},
    "Location": {"description": "Where to look next", "schema": {"type": "string"}},
    "ETag": {"description": "How the resource and this reply are now", "schema": {"type": "string"}},
    "Link": {"description": "Other pages of the list (RFC 8288)", "schema": {"type": "string"}},
}


def note_response(docs: dict[str, Any], status: int, schema: ma.Schema | dict[str, Any] | None, **options: Any) -> None:
    """Document an answer in its envelope; without a schema its data may be anything, at 204 and 302 there is none."""
    data: Any = {} if schema is None else schema
    if status == 202 and isinstance(schema, ma.Schema):
        data = _with_job_id(schema)
    _add_response(docs, status, None if status in (204, 302) else _enveloped(data, Meta), None, **options)


def note_raw(docs: dict[str, Any], status: int, content_type: str, **options: Any) -> None:
    """Document an answer outside of the envelope."""
    schema = {} if content_type.endswith("json") else {"type": "string"}
    _add_response(docs, status, schema, content_type, **options)


def note_upgrade(docs: dict[str, Any]) -> None:
    """Document an answer after which the connection is a WebSocket."""
    _add_response(docs, 101, None, None, description="From here on the connection is a WebSocket")


def note_list(docs: dict[str, Any], schema: ma.Schema) -> None:
    """Document a page of rows."""
    _add_response(docs, 200, _enveloped({"type": "array", "items": schema}, ListMeta), None)


def _enveloped(data: Any, meta: type[ma.Schema]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["data", "meta"],
        "additionalProperties": False,
        "properties": {"data": data, "meta": meta},
    }


def _with_job_id(schema: ma.Schema) -> ma.Schema:
    if "job_id" in schema.fields:
        return schema
    return _accepted_form(type(schema))(only=[*schema.only, "job_id"] if schema.only else None)


@functools.cache
def _accepted_form(kind: type[ma.Schema]) -> type[ma.Schema]:
    """Return a form with the job's id, one for all routes that answer by it: it has one name in the document."""
    job_id = fields.UUID(required=True, metadata={"description": "The job that does the work"})
    return type(f"{kind.__name__}Accepted", (kind,), {"job_id": job_id, "__module__": kind.__module__})


def _add_response(docs: dict[str, Any], status: int, schema: Any, content_type: str | None, **options: Any) -> None:
    described = {"description": HTTPStatus(status).phrase, **options, "content_type": content_type}
    if schema is not None:
        described["schema"] = schema
    docs.setdefault("response", {}).setdefault("responses", {}).setdefault(status, []).append(described)


def produced_types(docs: dict[str, Any]) -> frozenset[str]:
    """Return the content types of answers that are not JSON."""
    responses = docs.get("response", {}).get("responses", {}).values()
    return frozenset(one["content_type"] for some in responses for one in some if one["content_type"])


def note_operation(view: Any, operation: Operation, place: str) -> None:
    """Keep with the view what `complete` needs to know of its operation; `place` names its route in the document."""
    docs = view.__dict__.setdefault("_apidoc", {})
    guard = operation.guard
    docs["frame"] = {
        "id": f"{place}_{view.__name__}",
        "public": guard.public,
        "permission": guard.permission,
        "client": guard.client,
        "limited": operation.limited,
        "paged": operation.declared.pager is not None,
        "body": any(p.get("in") == "json" for p in docs.get("arguments", {}).get("parameters", [])),
        "arguments": bool(docs.get("arguments")),
        "success": operation.declared.status,
    }


def _downloaded(responses: dict[Any, Any]) -> list[str]:
    """Return as what bytes are downloaded, which is then done by ranges too."""
    said = [response.get("content", {}) for response in responses.values() if isinstance(response, dict)]
    return [kind for kind in (BINARY, ANYTHING) if any(kind in content for content in said)]


def complete(doc: dict[str, Any], doc_info: dict[str, Any], method: str) -> dict[str, Any]:
    """Add what follows from the frame: security, refusals, headers, and parameters in headers."""
    frame = doc_info["frame"]
    responses = doc.setdefault("responses", {})
    for status in sorted({*_refusals(frame, method), *doc_info.get("refusals", [])}):
        responses.setdefault(status, f"Refusal{status}")
    if _is_single(frame, method):
        responses.setdefault(304, {"description": "The caller has this reply already"})
    for kind in _downloaded(responses):
        responses.setdefault(206, {"description": "The asked range", "content": {kind: {"schema": {}}}})
        responses.setdefault(416, "Refusal416")
    for status, response in responses.items():
        if isinstance(response, dict):
            response["headers"] = _headers(frame, method, int(status)) | response.get("headers", {})
    doc.setdefault("parameters", []).extend(_parameters(frame, method))
    doc["operationId"] = frame["id"]
    if not frame["public"]:
        doc["security"] = [{"bearer": []}, {"key": []}]
    if frame["permission"]:
        place = " over the caller's client application" if frame["client"] else ""
        needs = f"Needs the permission `{frame['permission']}`{place}."
        doc_info["docstring"]["description"] = "\n\n".join(
            filter(None, [doc_info["docstring"].get("description"), needs])
        )
    return doc


def _is_single(frame: dict[str, Any], method: str) -> bool:
    return method == "get" and frame["limited"] and not frame["paged"] and frame["success"] == 200


def _refusals(frame: dict[str, Any], method: str) -> set[int]:
    statuses = {404, 406, 500, 503}
    if frame["limited"]:
        statuses.add(429)
    if not frame["public"]:
        statuses |= {401, 403}
    if frame["arguments"]:
        statuses |= {400, 422}
    if frame["body"] or method in ("post", "put", "patch"):
        statuses |= {400, 413, 415}
    if method == "post" and not frame["public"]:
        statuses |= {409, 422}
    if method in ("put", "patch", "delete"):
        statuses.add(412)
    return statuses


def _parameters(frame: dict[str, Any], method: str) -> list[str]:
    found = []
    if method == "post" and not frame["public"]:
        found.append(KEY_PARAMETER)
    if method in ("put", "patch", "delete"):
        found.append(IF_MATCH)
    if _is_single(frame, method):
        found.append(IF_NONE_MATCH)
    return found


def _headers(frame: dict[str, Any], method: str, status: int) -> dict[str, Any]:
    names = {"X-Request-ID": "RequestId"}
    if frame["limited"]:
        names |= {f"X-RateLimit-{part}": f"RateLimit{part}" for part in ("Limit", "Remaining", "Reset")}
    if status == 202:
        names |= {"Location": "Location", "Retry-After": "RetryAfter"}
    if status in (200, 304) and _is_single(frame, method):
        names["ETag"] = "ETag"
    if status == 200 and frame["paged"]:
        names["Link"] = "Link"
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in names.items()}


def refusal(status: int) -> dict[str, Any]:
    """Return the document of a refusal with `status`."""
    return {
        "description": HTTPStatus(status).phrase,
        "headers": {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}},
        "content": {JSON: {"schema": ErrorReply}, PROBLEM: {"schema": Problem}},
    }
