"""The OpenAPI 3.1 document: put together from the blueprints' declarations, made once, served as bytes."""

from __future__ import annotations

from typing import Any

import flask_smorest
import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask

from app.http import documents
from app.http.blueprint import Blueprint
from app.http.problems import CODES
from app.kernel.version import VERSION

DESCRIPTION = """\
Every long piece of work is a *job*: the request answers 202 with a job id, workers do the work, and the job is followed
by polling or by server-sent events.

Replies are `{"data", "meta"}`, refusals `{"error", "meta"}` (or RFC 9457 for `Accept: application/problem+json`).
Lists take `page` and `limit`, or walk by `cursor`. A POST with an `Idempotency-Key` may be sent again safely.
"""


class Api(flask_smorest.Api):
    """flask-smorest's document, without its own answers to what the frame answers: errors, pages, tags."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _nothing(self) -> None:
        """Do not add what flask-smorest would."""

    _register_error_handlers = _register_responses = _nothing
    _register_etag_headers = _register_pagination_header = _nothing


class _Names:
    """Names of schemas in the document: the class's, told apart by what is left out and, where two rooms chose the
    same name, by the room."""

    def __init__(self) -> None:
        self._taken: dict[str, type[ma.Schema]] = {}

    def __call__(self, schema: Any) -> str:
        made = schema() if isinstance(schema, type) else schema
        kind = type(made)
        name = kind.__name__.removesuffix("Schema")
        if self._taken.setdefault(name, kind) is not kind:
            name = kind.__module__.split(".")[1].title() + name
        parts = [name]
        parts += ["partial"] if made.partial else []
        parts += [f"only-{'-'.join(sorted(made.only))}"] if made.only else []
        parts += [f"without-{'-'.join(sorted(made.exclude))}"] if made.exclude else []
        return ".".join(parts)


def describe(app: Flask, blueprints: list[Blueprint]) -> Api:
    """Register the blueprints with the application and with its document."""
    app.config |= {"API_TITLE": "Headrace", "API_VERSION": VERSION, "OPENAPI_VERSION": "3.1.0"}
    plugin = MarshmallowPlugin(schema_name_resolver=_Names())
    api = Api(spec_kwargs={"marshmallow_plugin": plugin, "info": {"description": DESCRIPTION}})
    api.init_app(app)
    _add_components(api)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    return api


def _add_components(api: Api) -> None:
    components = api.spec.components
    components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    components.security_scheme("key", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    for name, parameter in documents.PARAMETERS.items():
        components.parameter(name, parameter["in"], parameter)
    for name, header in documents.HEADERS.items():
        components.header(name, header)
    for status in CODES:
        components.response(f"Refusal{status}", documents.refusal(status))
