"""JSON patch (RFC 6902), merge patch (RFC 7396) and Kubernetes' strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

from tests.support.kubernetes.statuses import ApiError, bad_request

Object = dict[str, Any]
# By which field the items of built-in lists are told apart. Other lists are replaced whole.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "conditions": "type",
    "containerStatuses": "name",
    "ownerReferences": "uid",
    "imagePullSecrets": "name",
}


def merge(target: Any, change: Any) -> Any:
    """Apply a merge patch."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def merge_strategic(target: Any, change: Any) -> Any:
    """Apply a strategic merge patch: as a merge patch, but items of known lists are merged by their keys."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, list) and key in MERGE_KEYS and isinstance(result.get(key), list):
            result[key] = _merge_items(result[key], value, MERGE_KEYS[key])
        elif key == "finalizers" and isinstance(result.get(key), list):
            result[key] += [one for one in value if one not in result[key]]
        else:
            result[key] = merge_strategic(result.get(key), value)
    return result


def _merge_items(items: list[Object], changes: list[Object], key: str) -> list[Object]:
    result = copy.deepcopy(items)
    for change in changes:
        place = next((index for index, item in enumerate(result) if item.get(key) == change.get(key)), None)
        if change.get("$patch") == "delete":
            result = [item for item in result if item.get(key) != change.get(key)]
        elif place is None:
            result.append(copy.deepcopy(change))
        else:
            result[place] = merge_strategic(result[place], change)
    return result


def patch_json(target: Object, operations: Any) -> Object:
    """Apply a JSON patch; raises 400 or 422."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list")
    result = copy.deepcopy(target)
    for operation in operations:
        try:
            _operate(result, operation)
        except (KeyError, IndexError, TypeError, ValueError):
            raise ApiError(422, "Invalid", f"the JSON patch cannot be applied: {operation}") from None
    return result


def _operate(document: Object, operation: Object) -> None:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "test":
            if _find(document, path) != operation["value"]:
                raise ValueError
        case "add":
            _add(document, path, copy.deepcopy(operation["value"]))
        case "replace":
            _find(document, path)
            _remove(document, path)
            _add(document, path, copy.deepcopy(operation["value"]))
        case "remove":
            _remove(document, path)
        case "move" | "copy" as op:
            value = copy.deepcopy(_find(document, _pointer(operation["from"])))
            if op == "move":
                _remove(document, _pointer(operation["from"]))
            _add(document, path, value)
        case _:
            raise ValueError


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _find(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _add(document: Any, path: list[str], value: Any) -> None:
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        parent[last] = value


def _remove(document: Any, path: list[str]) -> None:
    parent, last = _find(document, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
