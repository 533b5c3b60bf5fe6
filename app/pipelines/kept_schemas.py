"""Wire forms of secrets and variables."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates

from app.http import Schema, Timestamp
from app.pipelines.definition import DefinitionInvalid, find_secret_name_fault, parse_variables
from app.pipelines.schemas import VARIABLE_NAME

SECRET_BYTES = 64 * 1024
MOST_WORKSPACES = 1000


class KeptSchema(Schema):
    """What both have."""

    name = fields.String()
    created_by = fields.UUID(allow_none=True)
    created_at = Timestamp()
    updated_at = Timestamp(metadata={"description": "when it was written last"})


class SecretSchema(KeptSchema):
    """A secret, without its value."""

    workspace_ids = fields.List(
        fields.UUID(),
        allow_none=True,
        metadata={"description": "of an organization's secret: the workspaces it is for; null for all"},
    )


class SecretChangeSchema(Schema):
    """What of a secret to change."""

    value = fields.String(load_only=True, metadata={"description": "text of 1 byte to 64 KiB; it never comes back"})
    workspace_ids = fields.List(
        fields.UUID(),
        allow_none=True,
        validate=validate.Length(max=MOST_WORKSPACES),
        metadata={
            "description": "of an organization's secret: the workspaces whose steps may name it; null for all;"
            " left out, it stays as it is"
        },
    )

    @validates("value")
    def refuse_sizes(self, value: str, **_: Any) -> None:
        """Refuse what is empty, and what no environment variable could hold."""
        if not 1 <= len(value.encode()) <= SECRET_BYTES:
            raise ValidationError(f"must have 1 to {SECRET_BYTES} bytes")


class SecretValueSchema(SecretChangeSchema):
    """A secret's value; it never comes back."""

    value = fields.String(required=True, load_only=True, metadata={"description": "text of 1 byte to 64 KiB"})


class SecretCreationSchema(SecretValueSchema):
    """What makes a secret."""

    name = fields.String(required=True, validate=VARIABLE_NAME, metadata={"example": "REGISTRY_TOKEN"})

    @validates("name")
    def refuse_reserved(self, name: str, **_: Any) -> None:
        """Refuse the names that a step cannot find a secret under."""
        if fault := find_secret_name_fault(name):
            raise ValidationError(fault)


class VariableSchema(KeptSchema):
    """A variable."""

    value = fields.String()


class VariableValueSchema(Schema):
    """A variable's value, which everybody sees who may read where it is kept."""

    value = fields.String(required=True, validate=validate.Length(max=4096))

    @validates("value")
    def refuse_nul(self, value: str, **_: Any) -> None:
        """Refuse what no environment can hold."""
        if "\0" in value:
            raise ValidationError("holds a NUL")


class VariableCreationSchema(VariableValueSchema):
    """What makes a variable."""

    name = fields.String(required=True, validate=VARIABLE_NAME, metadata={"example": "REGION"})

    @validates("name")
    def refuse_built_ins(self, name: str, **_: Any) -> None:
        """Refuse the names that Headrace sets itself."""
        try:
            parse_variables({name: ""})
        except DefinitionInvalid as error:
            raise ValidationError(error.faults[0].message) from None
