"""Watches: what happened since a version, then what happens, with bookmarks, until their time is over."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.kubernetes.requests import Request, Target
from tests.support.kubernetes.selectors import matches
from tests.support.kubernetes.statuses import ApiError
from tests.support.kubernetes.store import Store, Write

Object = dict[str, Any]
LONGEST = 3600.0


def watch(
    store: Store, target: Target, request: Request, is_stopping: Callable[[], bool], bookmark_seconds: float
) -> Iterator[bytes]:
    """Yield one line for each change; an error is the last line."""
    ends = time.monotonic() + float(request.query.get("timeoutSeconds") or LONGEST)
    selectors = (request.query.get("labelSelector"), request.query.get("fieldSelector"))
    try:
        version, first = _begin(store, target, request, selectors)
    except ApiError as error:
        yield _line("ERROR", error.status())
        return
    yield from first
    bookmark_at = time.monotonic() + bookmark_seconds
    while time.monotonic() < ends and not is_stopping():
        try:
            lines, version = _next(store, target, selectors, version, min(ends, bookmark_at))
        except ApiError as error:
            yield _line("ERROR", error.status())
            return
        yield from lines
        if time.monotonic() >= min(ends, bookmark_at):
            bookmark_at += bookmark_seconds
            if request.query.get("allowWatchBookmarks") == "true":
                yield _bookmark(target, version)


def _begin(store: Store, target: Target, request: Request, selectors: Any) -> tuple[int, list[bytes]]:
    since = request.query.get("resourceVersion", "")
    with store.lock:
        if since not in ("", "0"):
            store.writes_since(int(since))
            return int(since), []
        found = store.list(target.resource.key, target.namespace or None)
        return store.version, [_line("ADDED", body) for body in found if matches(body, *selectors)]


def _next(store: Store, target: Target, selectors: Any, version: int, until: float) -> tuple[list[bytes], int]:
    with store.lock:
        if store.version == version:
            store.changed.wait(min(max(until - time.monotonic(), 0.0), 0.1))
        lines = [line for write in store.writes_since(version) if (line := _tell(write, target, selectors))]
        return lines, store.version


def _tell(write: Write, target: Target, selectors: Any) -> bytes | None:
    """What a watch with selectors sees of a write: what begins to match is added, what ceases to is deleted."""
    key = write.key
    if key.kind != target.resource.key or (target.namespace and key.namespace != target.namespace):
        return None
    did = write.before is not None and matches(write.before, *selectors)
    does = write.after is not None and matches(write.after, *selectors)
    if not did and not does:
        return None
    kind = "MODIFIED" if did and does else "ADDED" if does else "DELETED"
    return _line(kind, write.last)


def _bookmark(target: Target, version: int) -> bytes:
    resource = target.resource
    meta = {"resourceVersion": str(version), "creationTimestamp": None}
    return _line("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta})


def _line(kind: str, body: Object) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"
