"""The contract gate: every reply of the test client is held against the OpenAPI document the server publishes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from flask_smorest.spec.plugins import FlaskPlugin
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

DOCUMENT = "urn:document"
ERROR = "/components/schemas/ErrorReply"
PROBLEM = "/components/schemas/Problem"
JSON = "application/json"


class Undocumented(AssertionError):
    """The server answered in a way its document does not promise."""


class Contract:
    """What an application's document says, ready to judge replies."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._validators: dict[str, Draft202012Validator] = {}

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document as a client gets it."""
        document: dict[str, Any] = FlaskClient(self._app).get("/openapi.json").get_json()
        return document

    @cached_property
    def _registry(self) -> Registry[Any]:
        return Registry().with_resource(DOCUMENT, Resource(self.document, DRAFT202012))

    def check(self, reply: TestResponse) -> None:
        """Raise Undocumented unless this reply is one that the document promises."""
        method, path = reply.request.method, reply.request.path
        if method == "OPTIONS" or path.startswith("/static/"):
            return
        said = f"{method} {path} → {reply.status_code}"
        if "X-Request-ID" not in reply.headers:
            raise Undocumented(f"{said} has no X-Request-ID")
        if reply.status_code == 401 and "WWW-Authenticate" not in reply.headers:
            raise Undocumented(f"{said} has no WWW-Authenticate")
        template = self._template(method, path)
        if template is None:
            self._check_body(reply, said, PROBLEM if "problem" in reply.mimetype else ERROR)
        else:
            self._check_operation(reply, said, template)

    def _template(self, method: str, path: str) -> str | None:
        try:
            rule, _ = self._app.url_map.bind("").match(path, method, return_rule=True)
        except HTTPException:
            return None
        return str(FlaskPlugin.flaskpath2openapi(rule.rule))

    def _check_operation(self, reply: TestResponse, said: str, template: str) -> None:
        method = reply.request.method.lower().replace("head", "get")
        pointer = f"/paths/{_escape(template)}/{method}/responses/{reply.status_code}"
        operation = self.document["paths"].get(template, {}).get(method)
        if operation is None:
            raise Undocumented(f"{said}: the operation is not documented")
        promised = operation["responses"].get(str(reply.status_code))
        if promised is None:
            raise Undocumented(f"{said}: the status is not documented, only {sorted(operation['responses'])}")
        if "$ref" in promised:
            pointer = promised["$ref"].removeprefix("#")
            promised = self.document["components"]["responses"][pointer.rpartition("/")[2]]
        content = promised.get("content", {})
        if not content or reply.request.method == "HEAD":
            if reply.data:
                raise Undocumented(f"{said}: a body is not documented")
        elif "*/*" in content:
            return
        elif reply.mimetype not in content:
            raise Undocumented(f"{said}: {reply.mimetype or 'no type'} is not documented, only {sorted(content)}")
        elif reply.mimetype.endswith("json"):
            self._check_body(reply, said, f"{pointer}/content/{_escape(reply.mimetype)}/schema")

    def _check_body(self, reply: TestResponse, said: str, pointer: str) -> None:
        if reply.request.method == "HEAD":
            return
        validator = self._validators.get(pointer)
        if validator is None:
            validator = self._validators[pointer] = Draft202012Validator(
                {"$ref": f"{DOCUMENT}#{pointer}"},
                registry=self._registry,
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
        faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(reply.get_json())]
        if faults:
            raise Undocumented(f"{said}: " + "; ".join(faults))


class ContractClient(FlaskClient):
    """Flask's test client, which refuses replies that are not documented."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request, judge the reply, return it."""
        reply = super().open(*args, **({"buffered": True} | kwargs))
        contract_of(self.application).check(reply)
        return reply


def contract_of(app: Flask) -> Contract:
    """Return the contract of an application, read once."""
    contract: Contract = app.extensions.setdefault("tests.contract", Contract(app))
    return contract


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
