"""Templates."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, principal, requires, transaction
from app.notifications import keeping, queries, service
from app.notifications import template_schemas as schemas
from app.notifications.models import Template
from app.notifications.routes.base import blueprint, find_owner

SORT = {"created_at": Template.created_at, "name": Template.name}
ONE = "/templates/<uuid:template_id>"


@blueprint.route("/templates")
class Templates(MethodView):
    """All templates."""

    @blueprint.paged(schemas.TemplateSchema, sort=SORT, default="name")
    @requires("notifications:read")
    def get(self) -> Select[Template]:
        """The templates that the caller may read"""
        return queries.visible_templates(principal())

    @blueprint.arguments(schemas.TemplateRegistration)
    @blueprint.response(201, schemas.TemplateSchema)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def post(self, body: dict[str, Any]) -> Template:
        """Make a template, with variables such as `{{ name }}`, `if` and `for`"""
        with transaction() as session:
            owner = find_owner(session, body.pop("organization_id", None))
            return keeping.make_template(session, owner, body, principal())


@blueprint.route(ONE)
class OneTemplate(MethodView):
    """A template."""

    @blueprint.response(200, schemas.TemplateSchema)
    @requires("notifications:read")
    def get(self, template_id: UUID) -> Template:
        """A template and the variables it needs"""
        with transaction() as session:
            return load(session, Template, template_id)

    @blueprint.arguments(schemas.TemplateReplacement)
    @blueprint.response(200, schemas.TemplateSchema)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def put(self, body: dict[str, Any], template_id: UUID) -> Template:
        """Replace a template"""
        with transaction() as session:
            return keeping.change_template(session, load(session, Template, template_id, for_update=True), body)

    @blueprint.arguments(schemas.TemplateChange)
    @blueprint.response(200, schemas.TemplateSchema)
    @blueprint.refuses(409)
    @requires("notifications:write")
    def patch(self, body: dict[str, Any], template_id: UUID) -> Template:
        """Change some of a template"""
        with transaction() as session:
            return keeping.change_template(session, load(session, Template, template_id, for_update=True), body)

    @blueprint.response(204)
    @requires("notifications:write")
    def delete(self, template_id: UUID) -> None:
        """Delete a template; what was asked for with it is sent as it was"""
        with transaction() as session:
            session.delete(load(session, Template, template_id, for_update=True))


@blueprint.route(f"{ONE}/preview")
class TemplatePreview(MethodView):
    """Looking."""

    @blueprint.arguments(schemas.Preview)
    @blueprint.response(200, schemas.Previewed)
    @requires("notifications:read")
    def post(self, body: dict[str, Any], template_id: UUID) -> dict[str, Any]:
        """Fill a template, and send nothing"""
        with transaction() as session:
            template = load(session, Template, template_id)
            parts = {name: getattr(template, name) for name in keeping.PARTS}
            return service.fill(parts, body["variables"])
