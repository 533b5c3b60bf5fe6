"""The form that an object has to have before anything else reads it: a server may send whatever it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tasks.clusters.gateways.kubernetes.base import Kind, Object
from tasks.clusters.gateways.kubernetes.errors import NotKubernetes

_TEXTS: Final = ("namespace", "uid", "resourceVersion", "deletionTimestamp")
_TEXT_MAPS: Final = ("labels", "annotations")
# What custom resources hold there is their own business; they are read by who knows them.
_BUILT_IN: Final = frozenset({"", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io"})


def read_formed(kind: Kind, found: Object) -> Object:
    """Return an object that bears a name and is formed as its kind is; raises NotKubernetes."""
    if not is_formed(kind, found):
        raise NotKubernetes(f"The server's {kind.name} is not formed as one.")
    return found


def is_formed(kind: Kind, found: Any) -> bool:
    """Tell whether something is an object whose metadata, spec and status can be read."""
    if not isinstance(found, dict) or not isinstance(meta := found.get("metadata"), dict):
        return False
    parts = ("spec", "status") if kind.group in _BUILT_IN else ()
    return _is_named(meta) and all(isinstance(found.get(part), Mapping | None) for part in parts)


def _is_named(meta: Mapping[str, Any]) -> bool:
    return (
        isinstance(meta.get("name"), str)
        and all(isinstance(meta.get(name), str | None) for name in _TEXTS)
        and all(_holds_texts(meta.get(name)) for name in _TEXT_MAPS)
        and all(isinstance(one, str) for one in _listed(meta.get("finalizers")))
    )


def _holds_texts(found: Any) -> bool:
    return found is None or (isinstance(found, Mapping) and all(isinstance(one, str) for one in found.values()))


def _listed(found: Any) -> Sequence[Any]:
    """Return a list; something else is one of something that is no text."""
    return found if isinstance(found, list) else () if found is None else (None,)
