"""Wire forms of what there is on a cluster."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http import Schema, Timestamp


def _text(attribute: str, **metadata: Any) -> fields.String:
    return fields.String(required=True, allow_none=True, attribute=f"data.{attribute}", metadata=metadata)


def _count(attribute: str, **metadata: Any) -> fields.Integer:
    return fields.Integer(required=True, attribute=f"data.{attribute}", metadata=metadata)


class ObjectSchema(Schema):
    """What all objects have."""

    name = fields.String(required=True)
    created_at = Timestamp(required=True, allow_none=True)
    observed_at = Timestamp(required=True, allow_none=True, metadata={"description": "When it was last seen"})


class NodeSchema(ObjectSchema):
    """A node."""

    status = fields.String(required=True, metadata={"description": "`Ready`, `NotReady` or `Unknown`"})
    version = _text("version", example="v1.31.2")
    roles = fields.List(fields.String(), required=True, attribute="data.roles")
    cpu = _text("cpu", example="4")
    memory = _text("memory", example="16Gi")
    pods = _text("pods", description="How many it takes", example="110")
    unschedulable = fields.Boolean(required=True, attribute="data.unschedulable")


class NamespaceSchema(ObjectSchema):
    """A namespace."""

    status = fields.String(required=True, allow_none=True, metadata={"description": "`Active` or `Terminating`"})


class _NamespacedSchema(ObjectSchema):
    namespace = fields.String(required=True)


class PodSchema(_NamespacedSchema):
    """A pod."""

    status = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Its phase, or why a container waits or has ended", "example": "CrashLoopBackOff"},
    )
    ready = _count("ready", description="Containers that are ready")
    containers = _count("containers")
    restarts = _count("restarts")
    node = _text("node")
    ip = _text("ip")


class PortSchema(Schema):
    """A port of a service."""

    name = fields.String(required=True, allow_none=True)
    port = fields.Integer(required=True, allow_none=True)
    protocol = fields.String(required=True, allow_none=True)
    target = fields.String(required=True, allow_none=True)
    node_port = fields.Integer(required=True, allow_none=True)


class ServiceSchema(_NamespacedSchema):
    """A service."""

    type = _text("type", example="ClusterIP")
    cluster_ip = _text("cluster_ip")
    external_ips = fields.List(fields.String(), required=True, attribute="data.external_ips")
    ports = fields.List(fields.Nested(PortSchema), required=True, attribute="data.ports")


class DeploymentSchema(_NamespacedSchema):
    """A deployment."""

    status = fields.String(required=True, metadata={"description": "`Available`, `Progressing` or `Failed`"})
    replicas = _count("replicas", description="Wanted")
    ready = _count("ready")
    updated = _count("updated")
    available = _count("available")


class ClusterEventSchema(_NamespacedSchema):
    """An event, as Kubernetes tells it."""

    type = fields.String(
        required=True, allow_none=True, attribute="status", metadata={"description": "`Normal` or `Warning`"}
    )
    reason = _text("reason", example="FailedScheduling")
    message = _text("message")
    object_kind = _text("object_kind", example="Pod")
    object_name = _text("object_name")
    count = _count("count")
    last_seen = _text("last_seen")


class ObjectFilters(Schema):
    """What a list of objects can be narrowed by."""

    status = fields.String(validate=validate.Length(1, 253))
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In the name"})


class NamespacedFilters(ObjectFilters):
    """The same for what lies in namespaces."""

    namespace = fields.String(validate=validate.Length(1, 63))


class InventorySchema(Schema):
    """How current the inventory of one kind is."""

    kind = fields.String(required=True, metadata={"example": "pods"})
    observed_at = Timestamp(required=True, allow_none=True)
    count = fields.Integer(required=True)
    truncated = fields.Boolean(required=True, metadata={"description": "There are more than are kept"})
    watched = fields.Boolean(
        required=True, metadata={"description": "Changes are seen as they happen, between one list and the next"}
    )
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the newest listing failed; older rows are shown"}
    )
