"""What comes in: JSON bodies and query strings, read once and loaded by a schema. Everything here is hostile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

import marshmallow as ma
import orjson
from flask import request
from marshmallow import fields
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge

from app.http.envelope import JSON
from app.http.pacing import Paced
from app.kernel.errors import FieldError, Invalid, Malformed, Refusal
from app.kernel.store import Reads

# PostgreSQL's JSONB and orjson's writer take far more; no honest body of this API comes near.
DEEPEST = 64

_INTEGER = re.compile(r"-?\d{1,18}")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class UnsupportedMediaType(Refusal):
    """The body is of a type this does not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class Arguments(Protocol):
    """A place that arguments come from."""

    schema: ma.Schema

    def load(self) -> Any:
        """Return the loaded arguments; raises Malformed or Invalid."""


class BodyArguments:
    """A JSON object in the body; no body at all reads as an empty object. One that is not `walked` holds so many
    numbers that the view looks at them in its own way."""

    def __init__(self, schema: ma.Schema, *, walked: bool = True) -> None:
        self.schema = schema
        self._walked = walked

    def load(self) -> Any:
        """Return the loaded body."""
        return load_fields(self.schema, read_json(walked=self._walked), "body")


class QueryArguments:
    """The query string. Its texts become numbers and truths where the schema wants those."""

    def __init__(self, schema: ma.Schema) -> None:
        self.schema = schema
        self._fields = {field.data_key or name: field for name, field in schema.load_fields.items()}

    def load(self) -> Any:
        """Return the loaded query; an unknown or repeated parameter is refused."""
        given = {name: self._read(name, values) for name, values in request.args.lists()}
        return load_fields(self.schema, given, "query")

    def _read(self, name: str, values: list[str]) -> Any:
        if any("\0" in value for value in values):
            raise Invalid(errors=[FieldError(name, "Must not contain the character U+0000.")])
        field = self._fields.get(name)
        if isinstance(field, fields.List):
            return [part for value in values for part in value.split(",")]
        if len(values) > 1:
            raise Invalid(errors=[FieldError(name, "Is given more than once.")])
        return _convert(field, values[0])


def _convert(field: fields.Field[Any] | None, text: str) -> Any:
    if isinstance(field, fields.Integer) and _INTEGER.fullmatch(text):
        return int(text)
    if isinstance(field, fields.Boolean):
        return _TRUTHS.get(text.lower(), text)
    return text


def load_fields(schema: ma.Schema, given: Any, place: str) -> Any:
    """Load `given` by its schema; raises Invalid with the dotted path of each fault."""
    try:
        return schema.load(given)
    except ma.ValidationError as error:
        raise Invalid(errors=list(flatten(error.messages, place))) from None


def flatten(messages: Any, place: str, path: str = "") -> list[FieldError]:
    """Turn marshmallow's nested messages into fields with dotted paths; `place` names faults of the whole."""
    if isinstance(messages, Mapping):
        return [
            fault
            for name, inner in messages.items()
            for fault in flatten(inner, place, path if name == "_schema" else f"{path}.{name}".lstrip("."))
        ]
    found = messages if isinstance(messages, list) else [messages]
    return [FieldError(path or place, str(message)) for message in found]


def read_json(*, walked: bool = True) -> dict[str, Any]:
    """Return the JSON object in the body; raises Malformed, Invalid or UnsupportedMediaType. Unless it is `walked`,
    whoever reads it sees to it that nothing of it is too deep or holds what the database does not take."""
    body = read_body(JSON)
    if not body:
        return {}
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    if not isinstance(given, dict):
        raise Malformed("The body must be a JSON object.")
    # Counting first spares nearly every body the walk.
    if walked and (body.count(b"[") + body.count(b"{") > DEEPEST or b"\\u0000" in body):
        inspect_values(given)
    return given


def read_body(*content_types: str) -> bytes:
    """Return the body as it came; raises UnsupportedMediaType when there is one of another type."""
    body = request.get_data(cache=True)
    if body and request.mimetype not in content_types and not (JSON in content_types and request.is_json):
        raise UnsupportedMediaType(f"The body must be {' or '.join(content_types)}.")
    return body


def read_large(most_bytes: int) -> bytes:
    """Return a body that may be larger than those of other routes; raises RequestEntityTooLarge."""
    request.max_content_length = most_bytes + 1
    return request.get_data(cache=False)


def receive_file(most_bytes: int) -> tuple[Reads, int]:
    """Return what reads the body at the pace that a sender has to keep, and its length in bytes, which the request must
    tell; raises LengthRequired or RequestEntityTooLarge."""
    if request.content_length is None:
        raise LengthRequired
    if request.content_length > most_bytes:
        raise RequestEntityTooLarge
    request.max_content_length = most_bytes + 1
    return Paced(request.stream, request.environ.get("gunicorn.socket")), request.content_length


def inspect_values(given: dict[str, Any]) -> None:
    """Refuse what the database would not take: NUL characters, and values nested deeper than DEEPEST."""
    remaining: list[tuple[str, int, Any]] = [("", 1, given)]
    while remaining:
        path, depth, value = remaining.pop()
        if depth > DEEPEST:
            raise Malformed(f"The body is nested deeper than {DEEPEST} levels.")
        if isinstance(value, str) and "\0" in value:
            raise Invalid(errors=[FieldError(path, "Must not contain the character U+0000.")])
        if isinstance(value, dict):
            remaining += [(f"{path}.name", depth, name) for name in value if "\0" in name]
            remaining += [(f"{path}.{name}".lstrip("."), depth + 1, inner) for name, inner in value.items()]
        elif isinstance(value, list):
            remaining += [(f"{path}.{index}", depth + 1, inner) for index, inner in enumerate(value)]
