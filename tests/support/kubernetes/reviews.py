"""Questions about rights: SelfSubjectAccessReview, SubjectAccessReview, TokenReview."""

from __future__ import annotations

from typing import Any

from tests.support.kubernetes.requests import Request
from tests.support.kubernetes.rights import Asked, User, may
from tests.support.kubernetes.statuses import forbidden
from tests.support.kubernetes.store import Store

Object = dict[str, Any]
_ROOT = "/apis/authorization.k8s.io/v1/"


def review(store: Store, request: Request, body: Object) -> Object | None:
    """Return the answered review, or None for another request; raises 403."""
    if not request.path.startswith(_ROOT):
        return None
    plural = request.path.removeprefix(_ROOT)
    if not may(store, request.user, Asked("create", "authorization.k8s.io", plural)):
        raise forbidden(plural, "", f'User "{request.user.name}" cannot create resource "{plural}"')
    spec = body.get("spec", {})
    user = request.user
    if plural == "subjectaccessreviews":
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
    asked = spec.get("resourceAttributes") or {}
    resource = asked.get("resource", "")
    if asked.get("subresource"):
        resource += f"/{asked['subresource']}"
    wanted = Asked(
        asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", ""), asked.get("name", "")
    )
    return {**body, "metadata": {}, "status": {"allowed": may(store, user, wanted)}}
