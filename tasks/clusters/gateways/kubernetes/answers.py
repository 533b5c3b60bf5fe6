"""From an API server's answer to an object or an error. The server is not trusted: it may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from app.kernel.errors import FieldError
from tasks.clusters.gateways.kubernetes.base import Object
from tasks.clusters.gateways.kubernetes.errors import (
    AccessDenied,
    ClusterAway,
    ClusterError,
    FieldConflict,
    FieldOwner,
    HistoryGone,
    NamespaceTerminating,
    NotAuthenticated,
    NotKubernetes,
    ObjectExists,
    ObjectInvalid,
    ObjectNotFound,
    QuotaExceeded,
    StaleWrite,
)

_LONGEST_MESSAGE: Final = 500
_MOST_CAUSES: Final = 50
_LONGEST_WAIT: Final = 300.0
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff]+")
# Text that is kept holds none of these: the database takes none. In JSON they are written so, and not otherwise.
_NUL: Final = b"\\u0000"
_INSTEAD: Final = b"\\ufffd"
_UNTYPED: Final = "failed to create typed patch object"
_MANAGER: Final = re.compile(r'conflict with "([^"]*)"')
_SIMPLE: Final[dict[int, type[ClusterError]]] = {
    401: NotAuthenticated,
    404: ObjectNotFound,
    410: HistoryGone,
}


def read_object(body: bytes) -> Object:
    """Return an answer's object, none of whose texts holds a NUL; raises NotKubernetes."""
    try:
        found = orjson.loads(body.replace(_NUL, _INSTEAD))
    except orjson.JSONDecodeError:
        raise NotKubernetes("The server's answer is not JSON.") from None
    if not isinstance(found, dict):
        raise NotKubernetes("The server's answer is not an object.")
    return found


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> ClusterError:
    """Return what a refusal means."""
    if 300 <= status < 400:
        return NotKubernetes("The server redirects elsewhere, which is not followed.")
    try:
        told = read_object(body)
    except NotKubernetes:
        told = {}
    if status == 429 or status >= 500:
        said = clean(told.get("message", "")) or f"The server answered {status}."
        if _UNTYPED in said:
            # Server-side apply answers 500 to an object that its schema cannot merge; asking again changes nothing.
            return ObjectInvalid(said)
        return ClusterAway(said, retry_after=_read_wait(headers))
    return error_of_status(status, told)


def error_of_status(status: int, told: Mapping[str, Any]) -> ClusterError:
    """Return what a Status object means, which refuses a request or ends a watch."""
    reason, message = str(told.get("reason", "")), clean(told.get("message", ""))
    if told.get("kind") != "Status" and status not in (401, 403):
        return NotKubernetes(f"The server answered {status} without a reason.")
    if status in _SIMPLE:
        return _SIMPLE[status](message or None)
    if status == 409:
        return _conflict_of(reason, message, told)
    if status == 403:
        return _refusal_of(message, told)
    if status == 429 or status >= 500:
        return ClusterAway(message or None)
    causes = [FieldError(field, said) for _, field, said in _causes(told)]
    return ObjectInvalid(message or None, causes=causes)


def _conflict_of(reason: str, message: str, told: Mapping[str, Any]) -> ClusterError:
    conflicts = [
        FieldOwner(field, _manager_in(said)) for kind, field, said in _causes(told) if kind == "FieldManagerConflict"
    ]
    if conflicts:
        return FieldConflict(message, conflicts=conflicts)
    if reason == "AlreadyExists":
        # Making something in a namespace that goes away is told as a conflict where the name is still taken.
        return NamespaceTerminating(message) if "being deleted" in message else ObjectExists(message)
    return StaleWrite(message)


def _refusal_of(message: str, told: Mapping[str, Any]) -> ClusterError:
    if "exceeded quota" in message or ("must specify" in message and "failed quota" in message):
        return QuotaExceeded(message)
    if any(kind == "NamespaceTerminating" for kind, _, _ in _causes(told)):
        return NamespaceTerminating(message)
    return AccessDenied(message or None)


def _causes(told: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield reason, field and message of each cause."""
    details = told.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in (causes if isinstance(causes, list) else [])[:_MOST_CAUSES]:
        if isinstance(cause, dict):
            yield str(cause.get("reason", "")), clean(cause.get("field", "")), clean(cause.get("message", ""))


def _manager_in(message: str) -> str:
    match = _MANAGER.search(message)
    return match.group(1) if match else ""


def clean(text: object) -> str:
    """Return what a server says as one short line."""
    return _UNPRINTABLE.sub(" ", str(text)[:_LONGEST_MESSAGE])


def _read_wait(headers: Mapping[str, str]) -> float | None:
    said = headers.get("retry-after", "")
    return min(float(said), _LONGEST_WAIT) if said.isascii() and said.isdigit() else None
