"""Who manages which field, and server-side apply (KEP-555).

A field is a path of steps, written as in `fieldsV1`: `f:name` into a map, `k:{"name":"x"}` to an item of a list whose
items have keys. All other lists are one value. A step `.` at the end stands for the item itself.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

from tests.support.kubernetes.statuses import ApiError

Object = dict[str, Any]
Path = tuple[str, ...]
_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "ports": ("port", "protocol"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}
_NOBODYS = frozenset({"apiVersion", "kind", "status"})
_SERVERS = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
    | {"deletionTimestamp", "deletionGracePeriodSeconds", "generateName"}
)


def fields_of(body: Object) -> dict[Path, Any]:
    """Return all managed fields of an object with their values."""
    found: dict[Path, Any] = {}
    for key, value in body.items():
        if key in _NOBODYS:
            continue
        kept = {name: one for name, one in value.items() if name not in _SERVERS} if key == "metadata" else value
        if key != "metadata" or kept:
            _walk(kept, (f"f:{key}",), found)
    return found


def _walk(value: Any, path: Path, found: dict[Path, Any]) -> None:
    keys = _keys_of(value, path)
    if isinstance(value, dict) and value:
        for name, one in value.items():
            _walk(one, (*path, f"f:{name}"), found)
    elif keys:
        for one in value:
            step = (*path, _item_step(one, keys))
            found[(*step, ".")] = None
            for name, part in one.items():
                _walk(part, (*step, f"f:{name}"), found)
    else:
        found[path] = value


def _keys_of(value: Any, path: Path) -> tuple[str, ...]:
    keys = _KEYS.get(path[-1].removeprefix("f:"), ())
    if keys == ("port", "protocol") and isinstance(value, list) and any("containerPort" in str(one) for one in value):
        keys = ("containerPort", "protocol")
    named = (
        isinstance(value, list) and value and all(isinstance(one, dict) and keys and keys[0] in one for one in value)
    )
    return keys if named else ()


def _item_step(item: Object, keys: tuple[str, ...]) -> str:
    chosen = {key: item.get(key, "TCP" if key == "protocol" else None) for key in keys}
    return "k:" + json.dumps(chosen, separators=(",", ":"))


def apply(live: Object, body: Object, manager: str, force: bool) -> Object:
    """Return the object as the manager wants it; raises 409 with each field that another one manages."""
    wanted, now = fields_of(body), fields_of(live)
    entries = _entries(live)
    mine = (manager, "Apply")
    _settle(wanted, now, entries, mine, force)
    result = copy.deepcopy(live)
    dropped = entries.get(mine, set()) - wanted.keys()
    kept_by_others = set().union(*(fields for who, fields in entries.items() if who != mine))
    # An item goes as a whole, before the field by which it is found.
    for path in sorted(dropped - kept_by_others, key=lambda path: (len(path), path[-1] == "."), reverse=True):
        _delete(result, path)
    for path, value in wanted.items():
        _set(result, path, value)
    entries[mine] = set(wanted)
    _write_entries(result, entries, body.get("apiVersion", "v1"), live)
    return result


def _settle(
    wanted: dict[Path, Any], now: dict[Path, Any], entries: dict[tuple[str, str], set[Path]], mine: Any, force: bool
) -> None:
    causes: list[Object] = []
    for who, fields in entries.items():
        if who == mine:
            continue
        taken = {path for path in fields & wanted.keys() if path in now and now[path] != wanted[path]}
        if force:
            fields -= taken
        said = f'conflict with "{who[0]}"' + ("" if who[1] == "Apply" else " using v1")
        causes += [{"reason": "FieldManagerConflict", "message": said, "field": _shown(path)} for path in sorted(taken)]
    if causes and not force:
        told = f"Apply failed with {len(causes)} conflict(s): {causes[0]['message']}: {causes[0]['field']}"
        raise ApiError(409, "Conflict", told, causes=causes)


def record_update(before: Object | None, after: Object, manager: str) -> None:
    """Note in `after` that a manager wrote what differs, and that nobody manages what is gone."""
    old, new = fields_of(before) if before else {}, fields_of(after)
    entries = _entries(before or {})
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    for fields in entries.values():
        fields -= changed
        fields &= new.keys()
    entries.setdefault((manager, "Update"), set()).update(changed)
    _write_entries(after, entries, after.get("apiVersion", "v1"), before or {})


def _entries(body: Object) -> dict[tuple[str, str], set[Path]]:
    return {
        (entry["manager"], entry["operation"]): _unfold(entry["fieldsV1"])
        for entry in body.get("metadata", {}).get("managedFields") or []
    }


def _write_entries(body: Object, entries: dict[tuple[str, str], set[Path]], api_version: str, before: Object) -> None:
    known = {(one["manager"], one["operation"]): one for one in before.get("metadata", {}).get("managedFields") or []}
    written = []
    for (manager, operation), fields in entries.items():
        if not fields:
            continue
        folded = _fold(fields)
        old = known.get((manager, operation))
        same = old is not None and old["fieldsV1"] == folded
        time = old["time"] if old and same else datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        written.append(
            {"manager": manager, "operation": operation, "apiVersion": api_version, "time": time}
            | {"fieldsType": "FieldsV1", "fieldsV1": folded}
        )
    body["metadata"]["managedFields"] = written


def _fold(fields: set[Path]) -> Object:
    folded: Object = {}
    for path in sorted(fields):
        place = folded
        for step in path:
            place = place.setdefault(step, {})
    return folded


def _unfold(folded: Object, path: Path = ()) -> set[Path]:
    if not folded:
        return {path} if path else set()
    return {found for step, rest in folded.items() for found in _unfold(rest, (*path, step))}


def _shown(path: Path) -> str:
    text = ""
    for step in path:
        if step.startswith("k:"):
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(step[2:]).items()) + "]"
        elif step != ".":
            text += "." + step[2:]
    return text


def _set(body: Object, path: Path, value: Any) -> None:
    if path[-1] == ".":
        _step_into(body, path[:-1])
    else:
        _step_into(body, path[:-1])[path[-1][2:]] = copy.deepcopy(value)


def _step_into(body: Any, path: Path) -> Any:
    for position, step in enumerate(path):
        if step.startswith("k:"):
            wanted = json.loads(step[2:])
            item = _item(body, wanted)
            if item is None:
                item = dict(wanted)
                body.append(item)
            body = item
        else:
            holds_items = position + 1 < len(path) and path[position + 1].startswith("k:")
            if not isinstance(body.get(step[2:]), list if holds_items else dict):
                body[step[2:]] = [] if holds_items else {}
            body = body[step[2:]]
    return body


def _delete(body: Object, path: Path) -> None:
    place: Any = body
    steps = path[:-1] if path[-1] == "." else path
    for step in steps[:-1]:
        place = _item(place, json.loads(step[2:])) if step.startswith("k:") else place.get(step[2:])
        if place is None:
            return
    last = steps[-1]
    if last.startswith("k:"):
        place[:] = [item for item in place if item is not _item(place, json.loads(last[2:]))]
    elif isinstance(place, dict):
        place.pop(last[2:], None)


def _item(items: Any, wanted: Object) -> Any:
    for item in items:
        if all(item.get(key, "TCP" if key == "protocol" else None) == value for key, value in wanted.items()):
            return item
    return None
