"""What a namespace uses, and whether its quotas and limit ranges take one more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.support.kubernetes.kinds import Resource
from tests.support.kubernetes.quantities import read_quantity, write_quantity
from tests.support.kubernetes.statuses import forbidden
from tests.support.kubernetes.store import Store

Object = dict[str, Any]
_COUNTED = {
    "pods": "pods",
    "services": "services",
    "secrets": "secrets",
    "configmaps": "configmaps",
    "persistentvolumeclaims": "persistentvolumeclaims",
    "resourcequotas": "resourcequotas",
}
_COMPUTE = ("cpu", "memory")


def default_limits(store: Store, namespace: str, pod: Object) -> None:
    """Give the containers of a pod what the namespace's limit ranges say where they say nothing."""
    for limit_range in store.list("limitranges.", namespace):
        for limit in limit_range["spec"].get("limits", []):
            if limit.get("type") == "Container":
                for container in pod["spec"]["containers"]:
                    _default(container.setdefault("resources", {}), limit)


def _default(resources: Object, limit: Object) -> None:
    for part, defaults in (("limits", limit.get("default")), ("requests", limit.get("defaultRequest"))):
        for name, value in (defaults or {}).items():
            resources.setdefault(part, {}).setdefault(name, value)


def admit(store: Store, resource: Resource, body: Object) -> None:
    """Raise 403 where one of the namespace's quotas would be exceeded."""
    meta = body["metadata"]
    wanted = _use_of(resource.plural, body)
    for quota in store.list("resourcequotas.", meta["namespace"]):
        hard = quota.get("status", {}).get("hard") or {}
        touched = sorted(name for name in hard if name in wanted)
        missing = _find_unsaid(resource, hard, wanted)
        if missing:
            why = f"failed quota: {quota['metadata']['name']}: must specify {','.join(missing)}"
            raise forbidden(resource.plural, meta["name"], why)
        used = find_use(store, meta["namespace"])
        over = [name for name in touched if used[name] + wanted[name] > read_quantity(hard[name])]
        if over:
            parts = (
                _told("requested", over, wanted),
                _told("used", over, used),
                "limited: " + ",".join(f"{name}={hard[name]}" for name in over),
            )
            why = f"exceeded quota: {quota['metadata']['name']}, {', '.join(parts)}"
            raise forbidden(resource.plural, meta["name"], why)


def _find_unsaid(resource: Resource, hard: Object, wanted: dict[str, Decimal]) -> list[str]:
    if resource.plural != "pods":
        return []
    return sorted(name for name in hard if name.split(".")[-1] in _COMPUTE and name not in wanted)


def find_use(store: Store, namespace: str) -> Counter[str]:
    """Return what all objects of a namespace use, by the names that quotas have for it."""
    used: Counter[str] = Counter()
    for plural in _COUNTED:
        for body in store.list(f"{plural}.", namespace):
            used.update(_use_of(plural, body))
    return used


def show_use(hard: Iterable[str], used: Counter[str]) -> Object:
    """Return a use as a quota's status shows it."""
    return {name: write_quantity(Decimal(used[name])) for name in hard}


def _use_of(plural: str, body: Object) -> dict[str, Any]:
    if plural not in _COUNTED:
        return {}
    use: dict[str, Any] = {_COUNTED[plural]: Decimal(1), f"count/{plural}": Decimal(1)}
    if plural == "pods":
        if body.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return {}
        use |= _compute_of(body)
    if plural == "persistentvolumeclaims":
        asked = body.get("spec", {}).get("resources", {}).get("requests", {}).get("storage")
        use |= {"requests.storage": read_quantity(asked)} if asked else {}
    return use


def _compute_of(pod: Object) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        requests = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for part, values in (("requests", requests), ("limits", resources.get("limits") or {})):
            for name in _COMPUTE:
                if name in values:
                    key = f"{part}.{name}"
                    sums[key] = sums.get(key, Decimal(0)) + read_quantity(values[name])
                    if part == "requests":
                        sums[name] = sums[key]
    return sums


def _told(label: str, names: list[str], values: Any) -> str:
    return f"{label}: " + ",".join(f"{name}={write_quantity(Decimal(values[name]))}" for name in names)
