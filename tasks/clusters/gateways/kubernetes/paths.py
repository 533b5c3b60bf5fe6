"""Where things are on an API server. Names are checked, for a name is part of a URL and may come from a user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from tasks.clusters.gateways.kubernetes.base import Kind
from tasks.clusters.gateways.kubernetes.errors import ObjectInvalid

_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_NAME: Final = 253


def list_path(kind: Kind, namespace: str | None) -> str:
    """Return the path of a list: of one namespace, of all, or of the whole cluster."""
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
    if namespace is None:
        return f"{root}/{kind.plural}"
    if not kind.namespaced:
        raise ObjectInvalid(f"{kind.name} has no namespace.")
    if not _NAMESPACE.fullmatch(namespace):
        raise ObjectInvalid("The namespace must have 1 to 63 small letters, digits or dashes.")
    return f"{root}/namespaces/{namespace}/{kind.plural}"


def object_path(kind: Kind, name: str, namespace: str | None, subresource: str | None = None) -> str:
    """Return the path of an object, or of a part of it."""
    if not 0 < len(name) <= _LONGEST_NAME or name in (".", "..") or "/" in name or "%" in name:
        raise ObjectInvalid(f"The name must have 1 to {_LONGEST_NAME} characters and no slash or percent sign.")
    if kind.namespaced and namespace is None:
        raise ObjectInvalid(f"{kind.name} needs a namespace.")
    path = f"{list_path(kind, namespace)}/{quote(name, safe=':')}"
    return f"{path}/{subresource}" if subresource else path


def with_query(path: str, values: Mapping[str, str | int | None]) -> str:
    """Return a path with the values that are given."""
    given = {key: value for key, value in values.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
