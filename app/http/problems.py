"""Refusals: every error becomes a status, a code and one shape, here and nowhere else."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from psycopg import errors as pg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from werkzeug.exceptions import HTTPException, InternalServerError

from app.http.audit import note_refusal
from app.http.envelope import JSON, dump_json, meta
from app.http.metrics import REFUSED
from app.kernel.errors import AlreadyExists, Conflict, Invalid, Refusal, Transient, Unavailable
from app.kernel.outages import outage_of

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"

CODES = {
    400: "MALFORMED_REQUEST",
    401: "AUTH_REQUIRED",
    403: "INSUFFICIENT_PERMISSIONS",
    404: "RESOURCE_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    409: "INVALID_STATE",
    411: "LENGTH_REQUIRED",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    416: "RANGE_NOT_SATISFIABLE",
    422: "VALIDATION_ERROR",
    426: "UPGRADE_REQUIRED",
    428: "PRECONDITION_REQUIRED",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    502: "UPSTREAM_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


def handle_errors(app: Flask) -> None:
    """Answer every error of `app` in the one shape."""
    app.register_error_handler(Refusal, answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_any)


def answer(refusal: Refusal) -> Response:
    """Return the reply of a refusal, and note it in the audit log."""
    note_refusal(refusal)
    headers = dict(refusal.headers)
    if refusal.status == 401:
        headers.setdefault("WWW-Authenticate", _challenge(refusal.code))
    elif refusal.status == 503:
        headers.setdefault("Retry-After", "2")
    faults = [{"field": fault.field, "message": fault.message} for fault in refusal.errors]
    return _reply(refusal.status, refusal.code, refusal.message, dict(refusal.details), faults, headers)


def _answer_http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return Response(status=error.code, headers=error.get_response(request.environ).headers)
    status = error.code
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        return _answer_any(error.original_exception)
    headers = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    code = CODES.get(status, HTTPStatus(status).name)
    return _reply(status, code, _say(error), {}, [], headers)


def _say(error: HTTPException) -> str:
    if error.code == 404:
        return "There is nothing at this path."
    if error.code == 413:
        return "The body is too large."
    return error.description or HTTPStatus(error.code or 500).phrase


def _answer_any(error: Exception) -> Response:
    known = _of_database(error)
    if known is None and isinstance(error, Transient):
        known = Unavailable(error.message, headers={"Retry-After": str(round(error.retry_after or 1))})
    if known is not None:
        log.warning("request %s was refused: %s", g.get("request_id"), type(error).__name__, exc_info=error)
        return answer(known)
    log.error("request %s failed", g.get("request_id"), exc_info=error)
    message = "Something went wrong on our side; the request id helps us find it."
    return _reply(500, "INTERNAL_ERROR", message, {}, [], {})


def _of_database(error: Exception) -> Refusal | None:
    """Return what an error of the database means to the caller, if it is not simply a bug."""
    outage = outage_of(error)
    if outage is not None:
        REFUSED.labels(outage.reason).inc()
        return Unavailable(outage.message, headers={"Retry-After": str(outage.retry_after)}, reason=outage.reason)
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(error, IntegrityError) and isinstance(cause, pg.UniqueViolation):
        return AlreadyExists()
    if isinstance(error, IntegrityError) and isinstance(cause, pg.ForeignKeyViolation):
        return Conflict("Something this refers to, or that refers to it, stands in the way.")
    return Invalid("A value is out of range.") if isinstance(error, DataError) else None


def _reply(
    status: int, code: str, message: str, details: dict[str, Any], faults: list[dict[str, str]], headers: dict[str, str]
) -> Response:
    error = {"code": code, "message": message, "details": details} | ({"errors": faults} if faults else {})
    if request.accept_mimetypes.best_match([JSON, PROBLEM]) == PROBLEM:
        body, content_type = _problem(status, error), PROBLEM
    else:
        body, content_type = {"error": error, "meta": meta()}, JSON
    return Response(dump_json(body), status, headers, content_type=content_type)


def _problem(status: int, error: dict[str, Any]) -> dict[str, Any]:
    """Return the same facts as RFC 9457 has them."""
    code, message, *_ = error.values()
    return {
        "type": f"urn:headrace:problem:{code.lower()}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": request.path,
        "request_id": g.request_id,
        **{name: value for name, value in error.items() if name != "message"},
    }


def _challenge(code: str) -> str:
    """Return the WWW-Authenticate of RFC 6750: an error is named only where a token was given."""
    return 'Bearer realm="headrace"' + (', error="invalid_token"' if code.startswith(("TOKEN_", "KEY_")) else "")
