"""The audit log, for administrators whole and for an organization's owner the organization's part."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from sqlalchemy import Select

from app.http import Blueprint, check, platform, requires
from app.identity.audit_log import export_entries, filter_entries
from app.identity.schemas import audit as schemas
from app.kernel.audit import AuditEntry

audit = Blueprint("audit", description="Who did what to which thing, from where")

SORT = {"created_at": AuditEntry.at}
OF_ORGANIZATION = "/organizations/<uuid:organization_id>/audit-log"
NDJSON, CSV = "application/x-ndjson", "text/csv"


@audit.route("/admin/audit-log")
class AuditLog(MethodView):
    """The whole log."""

    @audit.paged(schemas.AuditEntry, sort=SORT, default="-created_at", filters=schemas.AuditFilters)
    @requires("platform:administer", platform=True)
    def get(self, filters: dict[str, Any]) -> Select[AuditEntry]:
        """Who did what, and was refused what"""
        return filter_entries(filters)


@audit.route("/admin/audit-log/export")
class AuditLogExport(MethodView):
    """The whole log, to keep."""

    @audit.arguments(schemas.AuditExport, location="query")
    @audit.raw(NDJSON, description="An entry a line")
    @audit.alt_response(200, content_type=CSV, description="With a line of names")
    @requires("platform:administer", platform=True)
    def get(self, query: dict[str, Any]) -> Response:
        """Export the log, oldest first, as lines of JSON or as CSV"""
        return _export(query)


@audit.route(OF_ORGANIZATION)
class OrganizationAuditLog(MethodView):
    """An organization's part of the log."""

    @audit.paged(schemas.AuditEntry, sort=SORT, default="-created_at", filters=schemas.OrganizationAuditFilters)
    @requires("audit:read")
    def get(self, filters: dict[str, Any], organization_id: UUID) -> Select[AuditEntry]:
        """Who did what in an organization, and was refused what"""
        check(organization_id)
        return filter_entries({**filters, "organization_id": organization_id})


@audit.route(f"{OF_ORGANIZATION}/export")
class OrganizationAuditLogExport(MethodView):
    """An organization's part of the log, to keep."""

    @audit.arguments(schemas.OrganizationAuditExport, location="query")
    @audit.raw(NDJSON, description="An entry a line")
    @audit.alt_response(200, content_type=CSV, description="With a line of names")
    @requires("audit:read")
    def get(self, query: dict[str, Any], organization_id: UUID) -> Response:
        """Export an organization's part of the log, oldest first, as lines of JSON or as CSV"""
        check(organization_id)
        return _export({**query, "organization_id": organization_id})


def _export(query: dict[str, Any]) -> Response:
    as_csv = query["format"] == "csv"
    lines = export_entries(platform().database, filter_entries(query), schemas.AuditEntry().dump, as_csv)
    response = Response(lines, content_type=f"{CSV}; charset=utf-8" if as_csv else NDJSON)
    response.headers["Content-Disposition"] = f'attachment; filename="audit-log.{query["format"]}"'
    return response
