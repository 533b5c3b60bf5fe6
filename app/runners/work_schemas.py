"""Wire forms between runners and the platform. What runners send is bounded here."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from marshmallow import ValidationError, fields, validate, validates

from app.http import Schema, Timestamp
from app.kernel.errors import FieldError, Invalid
from app.pipelines import FINAL
from app.runners.ending import OUTCOMES
from app.runners.schemas import SaidOfItselfSchema

PROTOCOL: Final = 1
LONGEST_WAIT: Final = 30
MOST_FILES: Final = 10_000
MOST_CASES: Final = 100_000
MOST_FAULTS: Final = 2_000
LONGEST_PATH: Final = 1024
LONGEST_KEY: Final = 2000
LARGEST: Final = 2**62

_CASE_TEXTS: Final = {
    "suite": (1000, False),
    "class_name": (1000, False),
    "name": (1000, False),
    "file": (1000, True),
    "message": (2000, True),
    "output": (16 * 1024, True),
}
_CASE_STATUSES: Final = ("passed", "failed", "error", "skipped")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029]")


class ClaimSchema(SaidOfItselfSchema):
    """A runner that could do with work."""

    protocol = fields.Integer(required=True, validate=validate.Equal(PROTOCOL), metadata={"example": PROTOCOL})
    wait = fields.Float(
        load_default=0.0,
        validate=validate.Range(0, LONGEST_WAIT),
        metadata={"description": "seconds to hold the reply until there is work"},
    )
    holding = fields.List(
        fields.UUID(),
        load_default=list,
        validate=validate.Length(max=1000),
        metadata={"description": "the jobs it has; others that it was given are lost and go elsewhere"},
    )


class ClaimedSchema(Schema):
    """What there is to do, if anything."""

    assignment = fields.Dict(
        allow_none=True, metadata={"description": "one attempt of a stage with its plan and its secrets; null: nothing"}
    )
    draining = fields.Boolean()
    retry_after = fields.Float(metadata={"description": "seconds to wait before asking again"})


class BeatSchema(Schema):
    """A sign of life."""

    phase = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=100))
    message = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=1000))


class BeatAnswerSchema(Schema):
    """What a runner is to know of an attempt it has."""

    cancel = fields.Boolean()
    lease_seconds = fields.Float()


class StepStartedSchema(Schema):
    """The step's attempt, under which its log is kept."""

    attempt = fields.Integer()


class StepEndSchema(Schema):
    """How a step ended."""

    status = fields.String(required=True, validate=validate.OneOf(FINAL))
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=4000))
    exit_code = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(-1, 2**31 - 1))
    signal = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 1000))
    duration_seconds = fields.Float(load_default=None, allow_none=True, validate=validate.Range(0, 10**8))
    peak_memory_bytes = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, LARGEST))
    sandbox = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=100))
    again = fields.Boolean(load_default=False, metadata={"description": "whether it is to be run again"})


class StepLogQuerySchema(Schema):
    """Whose lines they are."""

    attempt = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))


class LogAnswerSchema(Schema):
    """Where the log goes on."""

    next_seq = fields.Integer()


def _check_path(path: str) -> None:
    parts = path.split("/")
    if path.startswith("/") or {"", ".", ".."}.intersection(parts) or _UNSAFE.search(path):
        raise ValidationError("Is no path within a checkout.")
    if len(path.encode()) > LONGEST_PATH:
        raise ValidationError(f"Is longer than {LONGEST_PATH} bytes.")


class FileQuerySchema(Schema):
    """A file that the stage keeps."""

    artifact = fields.Integer(
        required=True,
        validate=validate.Range(0, 1000),
        metadata={"description": "which of the stage's artifacts asks for it, from 0"},
    )
    name = fields.String(required=True, metadata={"example": "dist/app.whl"})
    path = fields.String(required=True, metadata={"example": "dist/app.whl"})

    @validates("name", "path")
    def refuse_other_paths(self, path: str, **_: Any) -> None:
        """Refuse what would not be found again within a checkout."""
        _check_path(path)


class StoredFileSchema(Schema):
    """What names the file to POST `/artifacts`."""

    file = fields.String()


class KeptFilesSchema(Schema):
    """All files that the attempt keeps."""

    files = fields.List(
        fields.String(validate=validate.Length(1, 10_000)), required=True, validate=validate.Length(max=MOST_FILES)
    )


class CacheQuerySchema(Schema):
    """The key of a cache."""

    key = fields.String(required=True, validate=validate.Length(1, LONGEST_KEY))
    files = fields.Integer(load_default=0, validate=validate.Range(0, 10**9))


class CacheSearchSchema(Schema):
    """Which cache is looked for."""

    key = fields.String(required=True, validate=validate.Length(1, LONGEST_KEY))
    prefixes = fields.List(
        fields.String(validate=validate.Length(1, LONGEST_KEY)), load_default=list, validate=validate.Length(max=10)
    )
    own = fields.Boolean(load_default=False, metadata={"description": "only that key, in the run's own scope"})


class FoundCacheSchema(Schema):
    """A cache that was found."""

    id = fields.UUID()
    key = fields.String()
    scope = fields.String()
    size = fields.Integer()
    sha256 = fields.String()
    created_at = Timestamp()


class FoundSchema(Schema):
    """Whether there is one."""

    cache = fields.Nested(FoundCacheSchema, allow_none=True)


class CacheKeptSchema(Schema):
    """Whether the archive was kept; another run may have been first."""

    kept = fields.Boolean()


class FinishSchema(Schema):
    """How the attempt ended."""

    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    artifacts = fields.Integer(load_default=0, validate=validate.Range(0, MOST_FILES))
    tests = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, MOST_CASES))
    blocks = fields.Boolean(load_default=False)
    failed = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(("failed", "timed_out"))),
        load_default=dict,
        validate=validate.Length(max=100),
        metadata={"description": "steps that failed the stage, by name"},
    )
    out_of_time = fields.Boolean(load_default=False)
    code = fields.String(
        load_default="RUNNER_FAILED", validate=validate.Regexp(r"[A-Z][A-Z0-9_]{0,63}\Z", error="Is no error's code.")
    )
    message = fields.String(load_default="The runner does not say why.", validate=validate.Length(1, 4000))
    retry_after = fields.Float(load_default=0.0, validate=validate.Range(0, 3600))


def read_report(body: bytes) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the cases and the faults of a report; raises Invalid for whatever is not one."""
    try:
        given = orjson.loads(body)
        cases, faults = given["cases"], given["faults"]
        if len(cases) > MOST_CASES or len(faults) > MOST_FAULTS:
            raise ValueError("too many")
        return [_read_case(one) for one in cases], [
            {name: _read_text(one[name], 2000) or "" for name in ("file", "reason")} for one in faults
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Invalid(errors=[FieldError("body", "Is no report of tests.")]) from None


def _read_case(one: dict[str, Any]) -> dict[str, Any]:
    seconds = one["seconds"]
    if one["status"] not in _CASE_STATUSES or not 0 <= float(seconds) < 10**9 or type(one["flaky"]) is not bool:
        raise ValueError("is no case")
    texts = {name: _read_text(one[name], most, may_miss=may_miss) for name, (most, may_miss) in _CASE_TEXTS.items()}
    return texts | {"status": one["status"], "seconds": float(seconds), "flaky": one["flaky"]}


def _read_text(value: Any, most: int, *, may_miss: bool = False) -> str | None:
    if value is None and may_miss:
        return None
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise ValueError("is no text")
    return value
