"""The routes of the platform itself: health, metrics, documents, changelog."""

from __future__ import annotations

import hmac
import re
from pathlib import Path
from typing import Any

from flask import Response, current_app, redirect, request, send_from_directory
from flask.views import MethodView
from marshmallow import fields, validate
from werkzeug.wrappers import Response as BaseResponse

from app.http.blueprint import Blueprint
from app.http.envelope import JSON, dump_json
from app.http.guards import public
from app.http.health import WORST, report
from app.http.metrics import render
from app.http.platform import Platform, platform
from app.http.schemas import Schema
from app.kernel.errors import AuthRequired, Forbidden, Unavailable

STATIC = Path(__file__).parent / "static"
SPEC = "headrace-openapi"

_RELEASE = re.compile(r"## \[?(?P<version>[^\]\s]+)\]?(?: - (?P<date>\d{4}-\d{2}-\d{2}))?\s*")

root = Blueprint("system", description="Health, metrics and documents", url_prefix="", limited=False)
changes = Blueprint("changelog", description="What changed in which version")


class CheckResult(Schema):
    """How one part is."""

    name = fields.String(required=True, metadata={"example": "database"})
    status = fields.String(required=True, validate=validate.OneOf(WORST))
    message = fields.String(required=True)
    duration_ms = fields.Float(required=True)


class Health(Schema):
    """How the platform is: as bad as its worst part."""

    status = fields.String(required=True, validate=validate.OneOf(WORST))
    version = fields.String(required=True)
    uptime_seconds = fields.Float(required=True)
    checks = fields.List(fields.Nested(CheckResult), required=True)


class Release(Schema):
    """What changed in one version."""

    version = fields.String(required=True)
    date = fields.String(required=True, allow_none=True, metadata={"format": "date"})
    changes = fields.List(fields.String(), required=True)


def _let_read_metrics(parts: Platform) -> None:
    if not parts.metrics_token:
        if not parts.is_development:
            raise Forbidden("Nobody may read the metrics: METRICS_TOKEN is not set.")
        return
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {parts.metrics_token}".encode()):
        raise AuthRequired("The metrics need their own bearer token.")


def _answer(found: dict[str, Any]) -> dict[str, Any]:
    if found["status"] == "unhealthy":
        raise Unavailable("The platform cannot serve.", headers={"Retry-After": "5"}, **found)
    return found


@root.route("/health")
class HealthView(MethodView):
    """The whole platform."""

    @root.response(200, Health)
    @public
    def get(self) -> dict[str, Any]:
        """Tell how the platform and its parts are; 503 when it cannot serve."""
        return _answer(report(platform().checks))


@root.route("/health/live")
class LiveView(MethodView):
    """This process."""

    @root.response(200, Health)
    @public
    def get(self) -> dict[str, Any]:
        """Tell that this process answers, whatever the rest does."""
        return report([])


@root.route("/health/ready")
class ReadyView(MethodView):
    """What this process cannot do without."""

    @root.response(200, Health)
    @public
    def get(self) -> dict[str, Any]:
        """Tell whether requests can be served; 503 when not."""
        return _answer(report([check for check in platform().checks if check.vital]))


@root.route("/metrics")
class MetricsView(MethodView):
    """What Prometheus reads."""

    @root.raw("text/plain", description="Prometheus' text format")
    @root.refuses(401, 403)
    @public
    def get(self) -> Response:
        """Return the platform's metrics to who brings the installation's `METRICS_TOKEN` as bearer token.

        An installation without one shows them to nobody, unless it is a developer's.
        """
        _let_read_metrics(platform())
        return render(platform())


@root.route("/openapi.json")
class SpecView(MethodView):
    """The document of this interface."""

    @root.raw(JSON, description="The OpenAPI 3.1 document")
    @public
    def get(self) -> bytes:
        """Return this document."""
        return _spec()


@root.route("/docs")
class SwaggerView(MethodView):
    """The document to try out."""

    @root.raw("text/html", description="Swagger UI")
    @public
    def get(self) -> BaseResponse:
        """Show this document in Swagger UI."""
        return send_from_directory(STATIC, "docs.html")


@root.route("/redoc")
class RedocView(MethodView):
    """The document to read."""

    @root.raw("text/html", description="Redoc")
    @public
    def get(self) -> BaseResponse:
        """Show this document in Redoc."""
        return send_from_directory(STATIC, "redoc.html")


@root.route("/")
class FrontView(MethodView):
    """The front door."""

    @root.raw("text/html", 307, description="To the documents")
    @public
    def get(self) -> BaseResponse:
        """Lead to the documents."""
        return redirect("/docs", 307)


@changes.route("/changelog")
class ChangelogView(MethodView):
    """What changed."""

    @changes.response(200, Release(many=True))
    @public
    def get(self) -> list[dict[str, Any]]:
        """List the versions, newest first, with what changed in each."""
        return read_changelog(platform().changelog)


def read_changelog(path: Path) -> list[dict[str, Any]]:
    """Read the versions of a changelog as keepachangelog.com describes it."""
    releases: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.exists() else []:
        if found := _RELEASE.fullmatch(line):
            releases.append({**found.groupdict(), "changes": []})
        elif releases and line.startswith(("- ", "* ")):
            releases[-1]["changes"].append(line[2:])
        elif releases and releases[-1]["changes"] and line.startswith("  "):
            releases[-1]["changes"][-1] += " " + line.strip()
    return releases


def _spec() -> bytes:
    made: bytes | None = current_app.extensions.get(SPEC)
    if made is None:
        spec = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec
        made = current_app.extensions[SPEC] = dump_json(spec.to_dict())
    return made
