"""What an object must be: the rules of built-in kinds that clients meet most, and the schemas of custom ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.support.kubernetes.kinds import Resource
from tests.support.kubernetes.quantities import read_quantity
from tests.support.kubernetes.statuses import bad_request, invalid

Object = dict[str, Any]
Causes = Iterator[tuple[str, str]]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def validate(resource: Resource, body: Object) -> None:
    """Raise 422 with all causes."""
    causes = [*_check_meta(resource, body["metadata"]), *_CHECKS.get(resource.kind, _accept)(body)]
    if resource.schema is not None:
        causes += check_schema(resource.schema, {key: body[key] for key in body if key not in _COMMON}, "")
    if causes:
        raise invalid(resource.kind, body["metadata"].get("name", ""), causes)


_COMMON = ("apiVersion", "kind", "metadata")


def _accept(body: Object) -> Causes:
    yield from ()


def _check_meta(resource: Resource, meta: Object) -> Causes:
    name = str(meta.get("name", ""))
    if resource.kind == "Namespace":
        if not _LABEL.fullmatch(name):
            yield "metadata.name", f'Invalid value: "{name}": a DNS-1123 label must be at most 63 small letters'
    elif "rbac" in resource.group:
        if "/" in name or "%" in name or name in (".", ".."):
            yield "metadata.name", f'Invalid value: "{name}": may not contain "/" or "%"'
    elif not _SUBDOMAIN.fullmatch(name):
        yield "metadata.name", f'Invalid value: "{name}": a DNS-1123 subdomain must be small letters'
    for key, value in (meta.get("labels") or {}).items():
        if not isinstance(value, str):
            raise bad_request(f"labels.{key}: expected text")
        if not _LABEL_VALUE.fullmatch(value):
            yield "metadata.labels", f'Invalid value: "{value}": a valid label must be at most 63 characters'


def _check_pod_spec(spec: Object, path: str) -> Causes:
    if not spec.get("containers"):
        yield f"{path}.containers", "Required value"
    for index, container in enumerate(spec.get("containers") or []):
        if not container.get("name"):
            yield f"{path}.containers[{index}].name", "Required value"
        if not container.get("image"):
            yield f"{path}.containers[{index}].image", "Required value"


def _check_pod(body: Object) -> Causes:
    return _check_pod_spec(body.get("spec") or {}, "spec")


def _check_workload(body: Object) -> Causes:
    spec = body.get("spec") or {}
    template = spec.get("template") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels")
    own = template.get("metadata", {}).get("labels") or {}
    if not wanted:
        yield "spec.selector", "Required value"
    elif any(own.get(key) != value for key, value in wanted.items()):
        yield "spec.template.metadata.labels", "Invalid value: `selector` does not match template `labels`"
    if not isinstance(spec.get("replicas", 1), int):
        raise bad_request("spec.replicas: expected a number")
    if spec.get("replicas", 1) < 0:
        yield "spec.replicas", "Invalid value: must be greater than or equal to 0"
    yield from _check_pod_spec(template.get("spec") or {}, "spec.template.spec")


def _check_config_map(body: Object) -> Causes:
    if any(not isinstance(value, str) for value in (body.get("data") or {}).values()):
        raise bad_request("ConfigMap in version v1 cannot be handled: data: expected text")
    yield from ()


def _check_quota(body: Object) -> Causes:
    for name, value in ((body.get("spec") or {}).get("hard") or {}).items():
        try:
            if read_quantity(value) < 0:
                yield f"spec.hard[{name}]", f'Invalid value: "{value}": must be greater than or equal to 0'
        except ValueError as error:
            raise bad_request(f"ResourceQuota in version v1 cannot be handled: {error}") from None


def _check_binding(body: Object) -> Causes:
    if not (body.get("roleRef") or {}).get("name"):
        yield "roleRef.name", "Required value"


_CHECKS = {
    "Pod": _check_pod,
    "Deployment": _check_workload,
    "ReplicaSet": _check_workload,
    "StatefulSet": _check_workload,
    "ConfigMap": _check_config_map,
    "ResourceQuota": _check_quota,
    "RoleBinding": _check_binding,
    "ClusterRoleBinding": _check_binding,
}


def check_schema(schema: Object, value: Any, path: str) -> Causes:
    """Yield what is wrong with a value by a structural schema."""
    kind = schema.get("type")
    if kind and not _is_of(kind, value):
        yield path or "<root>", f'Invalid value: must be of type {kind}: "{value}"'
        return
    if "enum" in schema and value not in schema["enum"]:
        yield path, f'Unsupported value: "{value}"'
    if "minimum" in schema and value < schema["minimum"]:
        yield path, f"Invalid value: should be greater than or equal to {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield path, f"Invalid value: should be less than or equal to {schema['maximum']}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield path, f"Invalid value: should match '{schema['pattern']}'"
    yield from _check_parts(schema, value, path)


def _check_parts(schema: Object, value: Any, path: str) -> Causes:
    prefix = f"{path}." if path else ""
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield prefix + name, "Required value"
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from check_schema(part, value[name], prefix + name)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from check_schema(schema["items"], item, f"{path}[{index}]")


def prune(schema: Object, value: Any) -> Any:
    """Return a value without the fields that a structural schema does not know."""
    if isinstance(value, list) and "items" in schema:
        return [prune(schema["items"], item) for item in value]
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    if "properties" not in schema:
        return value if "additionalProperties" in schema or schema.get("type") != "object" else {}
    known = schema["properties"]
    return {name: prune(known[name], one) for name, one in value.items() if name in known}


def _is_of(kind: str, value: Any) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
