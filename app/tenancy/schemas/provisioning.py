"""Wire forms of what is done to workspaces and projects on clusters."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.tenancy.models import ISOLATIONS
from app.tenancy.models.provisioning import PHASE_STATUSES, STATUSES


def cluster_field() -> fields.UUID:
    """Return the field that names a cluster to put a workspace on."""
    return fields.UUID(metadata={"description": "A cluster of the organization to put the workspace on"})


def isolation_field() -> fields.String:
    """Return the field that says how a workspace is kept apart."""
    return fields.String(
        validate=validate.OneOf(ISOLATIONS),
        metadata={
            "description": "Given without a cluster, one of the organization's is chosen. `vcluster` is a control "
            "plane of its own, where the installation offers that",
            "example": "namespace",
        },
    )


class PhaseDetail(Schema):
    """A phase of an operation."""

    name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(PHASE_STATUSES))
    attempt = fields.Integer(required=True, allow_none=True)
    started_at = Timestamp(required=True, allow_none=True)
    finished_at = Timestamp(required=True, allow_none=True)
    seconds = fields.Float(required=True, allow_none=True)
    detail = fields.String(
        required=True, allow_none=True, metadata={"description": "What it waits for, or waited for last"}
    )


class ProvisioningDetail(Schema):
    """The newest operation on a workspace or project, with its phases and how long each took."""

    id = fields.UUID(required=True)
    operation = fields.String(required=True, metadata={"example": "provision"})
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    phase = fields.String(required=True, allow_none=True)
    percent = fields.Float(required=True)
    waiting_for = fields.String(required=True, allow_none=True)
    error = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    job_id = fields.UUID(required=True)
    undo_job_id = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)
    phases = fields.List(fields.Nested(PhaseDetail), required=True)


class ResourceUse(Schema):
    """Use of one resource; amounts as Kubernetes writes them."""

    used = fields.String(required=True, metadata={"example": "1500m"})
    limit = fields.String(required=True, metadata={"example": "8"})
    percentage = fields.Float(required=True)


class ResourceUsage(Schema):
    """What a workspace or project uses of its quota, as its cluster said it at `observed_at`.

    The limit is what the projects below leave. `spaces` are the namespaces one by one.
    """

    observed_at = Timestamp(required=True, allow_none=True)
    resources = fields.Dict(keys=fields.String(), values=fields.Nested(ResourceUse), required=True)


class Repair(Schema):
    """Something on the cluster that was not as it had to be, and was set right."""

    id = fields.UUID(required=True)
    project_id = fields.UUID(required=True, allow_none=True)
    namespace = fields.String(required=True)
    kind = fields.String(required=True, metadata={"example": "NetworkPolicy"})
    name = fields.String(required=True)
    what = fields.String(required=True, validate=validate.OneOf(("missing", "changed", "unwanted")))
    fields_ = fields.List(fields.String(), required=True, data_key="fields", attribute="fields")
    managers = fields.List(
        fields.String(), required=True, metadata={"description": "Who had written to these fields, as the cluster says"}
    )
    created_at = Timestamp(required=True)


class VirtualClusterDetail(Schema):
    """The virtual cluster that a workspace is."""

    server = fields.String(required=True, metadata={"description": "Where clients reach it"})
    version = fields.String(required=True, allow_none=True, metadata={"example": "v1.32.1"})
