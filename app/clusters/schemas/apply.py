"""Wire form of what is to be applied."""

from __future__ import annotations

from marshmallow import ValidationError, fields, validate, validates

from app.clusters.manifests import LARGEST, find_namespace_fault
from app.http import Schema

EXAMPLE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting, namespace: default}\ndata: {hello: world}\n"


class ApplySchema(Schema):
    """Manifests, and how they are to be applied."""

    manifests = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(1, LARGEST),
        metadata={
            "description": "Objects in YAML, several as documents or a List, or in JSON: 200 at most, in this order",
            "example": EXAMPLE,
        },
    )
    namespace = fields.String(
        load_default="default", metadata={"description": "Of objects that need one and name none"}
    )
    dry_run = fields.Boolean(load_default=False, metadata={"description": "Ask what would come of it, write nothing"})
    force = fields.Boolean(
        load_default=False, metadata={"description": "Take over fields that others manage, instead of a conflict"}
    )

    @validates("namespace")
    def refuse_other_names(self, namespace: str, **_: object) -> None:
        """Refuse what no namespace is called."""
        if fault := find_namespace_fault(namespace):
            raise ValidationError(fault)
