"""Differences between an object as it has to be and as it is, and who has written them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.tenancy import is_same_amount, names
from tasks.clusters.gateways.kubernetes import Object
from tasks.tenancy.isolation import find_loosened

# What we say whole: what somebody adds to it is a difference as well.
_WHOLE: Final = ("spec", "roleRef", "subjects", "rules")
_SERVERS_OWN: Final = frozenset({"kube-controller-manager", "kube-apiserver"})


def find_differences(wanted: Object, live: Object) -> list[str]:
    """Return the paths (`spec.hard.pods`) at which a live object is not as it has to be.

    Labels may be more than we say. An empty list is the same as none, and amounts may be written differently; an empty
    map is not the same as none, for a selector that selects everything is one.
    """
    found = list(_compare(wanted["metadata"].get("labels"), live["metadata"].get("labels"), "metadata.labels", False))
    for part in (part for part in _WHOLE if part in wanted):
        found += _compare(wanted[part], live.get(part), part, True)
    return found


def find_foreign_changes(wanted: Object, live: Object) -> list[str]:
    """Return the paths at which somebody else has changed what we say of an object that its host fills in.

    What we do not say is the host's. What nobody else has written differs because an older version of ours wrote it, or
    an admission hook did: that is left as it is until an operation puts the object again. But who has written is only
    what they say: where pods are granted more than they have to be, that is a change whoever made it.
    """
    found, loosened = list(_compare(_said_of(wanted), _said_of(live), "", False)), find_loosened(wanted, live)
    return [*loosened, *found] if loosened or find_managers(live, found) else []


def _said_of(body: Object) -> Object:
    meta = {name: body["metadata"].get(name) for name in ("labels", "annotations")}
    return {**body, "metadata": {name: value for name, value in meta.items() if value}}


def _compare(wanted: Any, live: Any, path: str, whole: bool) -> Iterator[str]:
    if wanted in (None, []) and live in (None, []):
        return
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for name in sorted({*wanted, *(live if whole else ())}):
            yield from _compare(wanted.get(name), live.get(name), f"{path}.{name}".removeprefix("."), whole)
    elif _are_lists(wanted, live) and len(wanted) == len(live):
        for place, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _compare(one, other, f"{path}[{place}]", whole)
    elif wanted != live and not is_same_amount(wanted, live):
        yield path


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, Sequence) and not isinstance(value, str) for value in values)


def find_managers(live: Object, differences: Sequence[str]) -> list[str]:
    """Return who, beside us, has written to the parts of an object that differ, by its managed fields."""
    parts = {f"f:{path.partition('.')[0].partition('[')[0]}" for path in differences}
    entries = live["metadata"].get("managedFields") or []
    writers = {
        str(entry.get("manager", ""))[:100]
        for entry in entries
        if isinstance(entry, Mapping) and isinstance(said := entry.get("fieldsV1"), Mapping) and parts & set(said)
    }
    return sorted(writers - _SERVERS_OWN - {names.MANAGER, ""})
