"""Wire forms of runners and of the tokens they register with."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from app.http import Schema, Timestamp

LABEL: Final = r"[a-z0-9][a-z0-9._-]{0,62}\Z"
DAY: Final = 24 * 3600
MOST_LABELS: Final = 50
MOST_CAPACITY: Final = 1000

_PRINTABLE: Final = validate.Regexp(r"[^\x00-\x1f\x7f]*\Z", error="Must be one line of printable characters.")


def _labels(*, least: int = 0, **kwargs: Any) -> fields.List[Any]:
    one = validate.Regexp(LABEL, error="A label is small letters, digits, '.', '_' and '-'.")
    return fields.List(
        fields.String(validate=one, metadata={"example": "linux"}),
        validate=validate.Length(least, MOST_LABELS),
        **kwargs,
    )


def _line(most: int, **kwargs: Any) -> fields.String:
    least = 1 if kwargs.get("required") else 0
    return fields.String(validate=[validate.Length(least, most), _PRINTABLE], **kwargs)


class RunnerSchema(Schema):
    """A runner, as it was heard of last."""

    id = fields.UUID()
    organization_id = fields.UUID()
    workspace_id = fields.UUID(
        allow_none=True, metadata={"description": "the only workspace whose stages it takes; null: all of them"}
    )
    name = fields.String()
    labels = fields.List(fields.String())
    capacity = fields.Integer(metadata={"description": "stages it does at once, as it says"})
    takes_untrusted = fields.Boolean()
    draining = fields.Boolean()
    disabled = fields.Boolean()
    online = fields.Boolean(metadata={"description": "whether it was heard of in the last minute and a half"})
    version = fields.String()
    system = fields.String(metadata={"description": "its operating system and processor"})
    sandbox = fields.String(metadata={"description": "how it confines steps"})
    last_seen_at = Timestamp(allow_none=True)
    last_seen_ip = fields.String(allow_none=True)
    created_by = fields.UUID(allow_none=True, metadata={"description": "who made the token it was registered with"})
    created_at = Timestamp()
    updated_at = Timestamp()


class RunnerDetailSchema(RunnerSchema):
    """A runner with what it does."""

    jobs = fields.List(fields.UUID(), metadata={"description": "the jobs of the stages it has at hand"})


class RunnerFilterSchema(Schema):
    """Filters of a list of runners."""

    label = fields.String()
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "in the name"})


class RunnerChangeSchema(Schema):
    """What of a runner to change."""

    name = _line(100)
    labels = _labels(least=1)
    takes_untrusted = fields.Boolean(
        metadata={"description": "whether it takes code of forks' pull requests that nobody has approved"}
    )
    draining = fields.Boolean(metadata={"description": "whether it gets no more stages; those it has it finishes"})
    disabled = fields.Boolean(
        metadata={"description": "whether it is refused everything; what it has goes to others once its lease is over"}
    )


class TokenCreationSchema(Schema):
    """What a registration token is to be."""

    description = _line(200, load_default=None, allow_none=True)
    labels = _labels(
        load_default=list,
        metadata={"description": "those of all runners it registers; empty: each runner says its own"},
    )
    takes_untrusted = fields.Boolean(load_default=False)
    uses_left = fields.Integer(
        load_default=1,
        allow_none=True,
        validate=validate.Range(1, 10_000),
        metadata={"description": "how many runners it registers; null: any number until it expires"},
    )
    expires_in = fields.Integer(
        load_default=3600, validate=validate.Range(60, 365 * DAY), metadata={"description": "in seconds"}
    )


class TokenSchema(Schema):
    """A registration token, without its text."""

    id = fields.UUID()
    organization_id = fields.UUID()
    workspace_id = fields.UUID(allow_none=True)
    description = fields.String(allow_none=True)
    labels = fields.List(fields.String())
    takes_untrusted = fields.Boolean()
    uses_left = fields.Integer(allow_none=True)
    expires_at = Timestamp()
    created_by = fields.UUID(allow_none=True)
    created_at = Timestamp()


class TokenShownSchema(TokenSchema):
    """A registration token with its text, this one time."""

    token = fields.String(required=True, metadata={"description": "for `headrace runner register`"})


class SaidOfItselfSchema(Schema):
    """What a machine says of itself."""

    version = _line(50, required=True)
    system = _line(100, required=True, metadata={"example": "linux x86_64"})
    sandbox = _line(50, required=True, metadata={"example": "bubblewrap"})
    capacity = fields.Integer(required=True, validate=validate.Range(1, MOST_CAPACITY))


class RegistrationSchema(SaidOfItselfSchema):
    """A machine that wants to be a runner."""

    token = fields.String(required=True, validate=validate.Length(1, 200))
    name = _line(100, required=True)
    labels = _labels(required=True, least=1)


class RegisteredSchema(RunnerSchema):
    """A runner with its token, this one time."""

    token = fields.String(required=True, metadata={"description": "`hr_run_…`; the runner's own, for nothing else"})
