"""Refusals, as a Kubernetes API server words them."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


class ApiError(Exception):
    """A refusal: an HTTP status, a reason, a message, and causes by field."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def status(self) -> Object:
        """The Status object that tells it."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def not_found(plural: str, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{plural} "{name}" not found', name=name, kind=plural)


def exists(plural: str, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{plural} "{name}" already exists', name=name, kind=plural)


def stale(plural: str, name: str) -> ApiError:
    said = "the object has been modified; please apply your changes to the latest version and try again"
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {plural} "{name}": {said}', name=name)


def forbidden(plural: str, name: str, why: str, causes: list[Object] | None = None) -> ApiError:
    shown = f'{plural} "{name}"' if name else plural
    return ApiError(403, "Forbidden", f"{shown} is forbidden: {why}", name=name, kind=plural, causes=causes or [])


def invalid(kind: str, name: str, causes: list[tuple[str, str]]) -> ApiError:
    """`causes` are pairs of field and message."""
    told = ", ".join(f"{field}: {message}" for field, message in causes)
    listed = [{"reason": "FieldValueInvalid", "message": message, "field": field} for field, message in causes]
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {told}', name=name, kind=kind, causes=listed)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)
