"""Wire forms of a workspace's variables."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates

from app.http import Schema, Timestamp
from app.pipelines.definition import DefinitionInvalid, parse_variables
from app.pipelines.schemas import VARIABLE_NAME


class VariableSchema(Schema):
    """A variable of a workspace."""

    name = fields.String()
    value = fields.String()
    created_by = fields.UUID(allow_none=True)
    created_at = Timestamp()
    updated_at = Timestamp()


class VariableValueSchema(Schema):
    """A variable's value, which everybody sees who may read the workspace."""

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
