"""Reading fields of what a server sends, which may be of any form and size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tasks.clusters.gateways.kubernetes import Object

LONGEST: Final = 253
LONGEST_MESSAGE: Final = 1000
MOST_PARTS: Final = 20


def at(body: Any, *path: str) -> Any:
    """Return what lies at a path; None where there is nothing."""
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    return body


def maps(body: Any, *path: str) -> Iterable[Object]:
    """Return the first MOST_PARTS objects of a list at a path."""
    found = at(body, *path)
    return [one for one in found[:MOST_PARTS] if isinstance(one, dict)] if isinstance(found, list) else []


def text(body: Any, *path: str, longest: int = LONGEST) -> str | None:
    """Return a text at a path, cut and cleaned; None for an empty one."""
    found = at(body, *path)
    return clean(found, longest) if isinstance(found, str) and found else None


def texts(body: Any, *path: str) -> dict[str, str]:
    """Return the first MOST_PARTS texts by name at a path."""
    found = at(body, *path)
    if not isinstance(found, dict):
        return {}
    pairs = [(name, value) for name, value in found.items() if isinstance(name, str) and isinstance(value, str)]
    return {clean(name): clean(value) for name, value in pairs[:MOST_PARTS]}


def clean(said: str, longest: int = LONGEST) -> str:
    """The database takes no NUL, and nobody wants other control characters or half of a surrogate pair."""
    return "".join(one if one.isprintable() else " " for one in said[:longest])


def number(value: Any) -> int | None:
    """Return a whole number that JSON's readers agree on, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def condition(body: Object, kind: str) -> Object:
    """Return the condition of a type; an empty one where there is none."""
    return next((one for one in maps(body, "status", "conditions") if one.get("type") == kind), {})


def owner(body: Object) -> dict[str, str] | None:
    """Return the kind and the name of what manages an object."""
    for one in maps(body, "metadata", "ownerReferences"):
        kind, name = text(one, "kind"), text(one, "name")
        if kind and name and one.get("controller") is not False:
            return {"kind": kind, "name": name}
    return None
