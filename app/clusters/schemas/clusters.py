"""Wire forms of clusters and what is given to register one."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.clusters.models import STATUSES
from app.http import Schema, Timestamp

NAME = validate.Regexp(
    r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z",
    error="Must have 1 to 63 letters, digits, dots, dashes and underscores, the first and last a letter or digit.",
)
PLACES = ("kubeconfig", "aws", "gcp", "azure", "on-premise", "local", "eks", "capi")
_LABEL = validate.And(validate.Length(1, 63), validate.Regexp(r"^[A-Za-z0-9._/-]+\Z"))
_CANARY = "https://kube.example.com:6443"


def _printable(text: str) -> None:
    if not "".join(text.splitlines()).replace("\t", " ").isprintable():
        raise ValidationError("Must not contain control characters.")


def _description(**kwargs: Any) -> fields.String:
    return fields.String(allow_none=True, validate=[validate.Length(max=2000), _printable], **kwargs)


def _region(**kwargs: Any) -> fields.String:
    said = {"description": "Where it is, in its provider's words", "example": "eu-central-1"}
    return fields.String(allow_none=True, validate=_LABEL, metadata=said, **kwargs)


def _tags(**kwargs: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=_LABEL),
        values=fields.String(validate=[validate.Length(max=255), _printable]),
        validate=validate.Length(max=50),
        metadata={"example": {"team": "shop"}},
        **kwargs,
    )


def _secret(description: str, most: int) -> fields.String:
    return fields.String(
        load_only=True, validate=validate.Length(1, most), metadata={"description": f"{description}; never comes back"}
    )


class AccessSchema(Schema):
    """What opens a cluster: a kubeconfig, or the same part by part."""

    kubeconfig = _secret("A kubeconfig in YAML or JSON, as it is or in base64", 400_000)
    context = fields.String(
        validate=validate.Length(1, 253), metadata={"description": "Of the kubeconfig; the current one unless given"}
    )
    server = fields.String(
        validate=validate.Length(1, 2048),
        metadata={"description": "Address of the API server, in place of a kubeconfig", "example": _CANARY},
    )
    ca = fields.String(
        validate=validate.Length(1, 131_072),
        metadata={"description": "Certificate of its authority in PEM; the system's authorities unless given"},
    )
    server_name = fields.String(
        validate=validate.Length(1, 253), metadata={"description": "The name in its certificate, if it is another"}
    )
    verify = fields.Boolean(metadata={"description": "Whether its certificate is verified; false only where allowed"})
    token = _secret("A bearer token", 16_384)
    certificate = _secret("A client certificate in PEM, in place of a token", 131_072)
    key = _secret("The key of the client certificate in PEM, without a password", 131_072)


class WishesSchema(Schema):
    """What a provider that makes clusters is told; `GET /cluster-providers` says what each needs."""

    parameters = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 63)),
        metadata={"description": "What the provider is to make", "example": {}},
    )
    credentials = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 63)),
        values=fields.String(validate=validate.Length(1, 16_384)),
        load_only=True,
        metadata={"description": "What opens the provider's own API; never comes back", "example": {}},
    )


class ClusterChange(AccessSchema, WishesSchema):
    """What is changed of a cluster; fields that are left out stay.

    A new token or certificate replaces the one there is. Another server takes credentials of its own.
    """

    name = fields.String(validate=NAME, metadata={"example": "production"})
    description = _description()
    region = _region()
    tags = _tags()


class ClusterReplacement(ClusterChange):
    """A cluster, whole; fields that are left out take their defaults, but what opens it stays."""

    name = fields.String(required=True, validate=NAME, metadata={"example": "production"})
    description = _description(load_default=None)
    region = _region(load_default=None)
    tags = _tags(load_default=dict)


class ClusterRegistration(ClusterReplacement):
    """What registers a cluster."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    provider = fields.String(
        load_default="kubeconfig",
        validate=validate.OneOf(PLACES),
        metadata={"description": "Where the cluster comes from"},
    )


class ClusterSchema(Schema):
    """A cluster. Nothing of it opens it."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    provider = fields.String(required=True)
    managed = fields.Boolean(required=True, metadata={"description": "Made, and taken away, by its provider"})
    region = fields.String(required=True, allow_none=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    parameters = fields.Dict(keys=fields.String(), required=True, metadata={"description": "Told to its provider"})
    server = fields.String(required=True, allow_none=True, metadata={"example": _CANARY})
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    status_reason = fields.String(required=True, allow_none=True)
    version = fields.String(required=True, allow_none=True, metadata={"example": "v1.31.2"})
    node_count = fields.Integer(required=True, allow_none=True, attribute="health.node_count")
    ready_nodes = fields.Integer(required=True, allow_none=True, attribute="health.ready_nodes")
    last_checked_at = Timestamp(required=True, allow_none=True, attribute="health.checked_at")
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ClusterFilters(Schema):
    """What the list of clusters can be narrowed by."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    provider = fields.String(validate=validate.Length(1, 63))
    region = fields.String(validate=validate.Length(1, 63))
    organization_id = fields.UUID()
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In name or description"})
