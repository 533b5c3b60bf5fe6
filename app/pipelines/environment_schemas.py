"""Wire forms of environments and deployments."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates

from app.http import Schema, Timestamp
from app.pipelines.definition.language import APPROVER, NAME
from app.pipelines.definition.language import APPROVER_PATTERN as _APPROVER
from app.pipelines.models import DEPLOYMENT_STATUSES

MOST = validate.Length(max=50)


def _patterns(what: str) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.Length(1, 200)),
        validate=MOST,
        metadata={"description": f"globs; where there are any, only runs of {what} that match one may deploy"},
    )


class DeploymentSchema(Schema):
    """One attempt of a stage that deploys."""

    id = fields.UUID()
    environment_id = fields.UUID()
    execution_id = fields.UUID()
    stage = fields.String(attribute="stage_name")
    attempt = fields.Integer(metadata={"description": "of the stage"})
    status = fields.String(validate=validate.OneOf(DEPLOYMENT_STATUSES))
    branch = fields.String(allow_none=True)
    tag = fields.String(allow_none=True)
    commit_sha = fields.String()
    url = fields.String(allow_none=True, metadata={"description": "where it can be seen"})
    created_by = fields.UUID(allow_none=True, metadata={"description": "who began the run, or ran the stage again"})
    started_at = Timestamp()
    finished_at = Timestamp(allow_none=True)


class EnvironmentChangeSchema(Schema):
    """What of an environment to change."""

    description = fields.String(allow_none=True, validate=validate.Length(max=1000))
    branch_patterns = _patterns("branches")
    tag_patterns = _patterns("tags")
    approvers = fields.List(
        fields.String(validate=validate.Regexp(rf"(?:{_APPROVER})\Z", error=APPROVER)),
        validate=MOST,
        metadata={
            "description": "who lets deployments go on: names of users, or `role:` and a role; they take the place of"
            " the approvers that a stage names; empty: nobody in particular"
        },
    )
    not_by_starter = fields.Boolean(
        metadata={
            "description": "whether it must be somebody else than who began the run; without approvers anybody else who"
            " may approve"
        }
    )


class EnvironmentReplacementSchema(EnvironmentChangeSchema):
    """All of an environment but its name anew."""

    description = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=1000))
    branch_patterns = fields.List(fields.String(validate=validate.Length(1, 200)), load_default=list, validate=MOST)
    tag_patterns = fields.List(fields.String(validate=validate.Length(1, 200)), load_default=list, validate=MOST)
    approvers = fields.List(
        fields.String(validate=validate.Regexp(rf"(?:{_APPROVER})\Z", error=APPROVER)),
        load_default=list,
        validate=MOST,
    )
    not_by_starter = fields.Boolean(load_default=False)


class EnvironmentCreationSchema(EnvironmentChangeSchema):
    """What makes an environment before a run names it."""

    name = fields.String(required=True, metadata={"example": "production"})

    @validates("name")
    def refuse_other_names(self, name: str, **_: Any) -> None:
        """Refuse what no definition could name."""
        if len(name) > NAME.at_most or not re.fullmatch(NAME.pattern, name):
            raise ValidationError(NAME.hint)


class EnvironmentSchema(EnvironmentChangeSchema):
    """An environment of a workspace."""

    id = fields.UUID()
    organization_id = fields.UUID()
    workspace_id = fields.UUID()
    name = fields.String()
    live = fields.Nested(
        DeploymentSchema, allow_none=True, metadata={"description": "the deployment that succeeded last"}
    )
    created_at = Timestamp()
    updated_at = Timestamp()


class DeploymentFilterSchema(Schema):
    """Filters of a list of deployments."""

    status = fields.String(validate=validate.OneOf(DEPLOYMENT_STATUSES))
    branch = fields.String()
    execution_id = fields.UUID()
