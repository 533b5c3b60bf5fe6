"""A request as the API server reads it: which kind, which object, what is to be done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from tests.support.kubernetes.kinds import Resource
from tests.support.kubernetes.rights import User
from tests.support.kubernetes.statuses import ApiError, bad_request

Object = dict[str, Any]
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_OF_NAMESPACES = ("status", "finalize")


@dataclass(frozen=True)
class Request:
    """One request; `path` is without its query."""

    method: str
    path: str
    query: Mapping[str, str]
    media_type: str
    agent: str
    body: bytes
    user: User

    @property
    def manager(self) -> str:
        """The field manager: what the request says, else the client's name."""
        return self.query.get("fieldManager") or self.agent.split("/")[0] or "unknown"

    @property
    def is_dry(self) -> bool:
        """Nothing is to be kept."""
        return self.query.get("dryRun") == "All"

    def read_body(self) -> Any:
        """Return the decoded body; raises 400 or 415."""
        if not self.body:
            return {}
        try:
            return yaml.safe_load(self.body) if "yaml" in self.media_type else json.loads(self.body)
        except (ValueError, yaml.YAMLError) as error:
            raise bad_request(f"the object provided is unrecognized: {error}") from None


@dataclass(frozen=True)
class Target:
    """What a path names."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    def verb_of(self, request: Request) -> str:
        """The verb by which RBAC calls it."""
        if request.method == "GET":
            if self.name:
                return "get"
            return "watch" if request.query.get("watch") in ("true", "1") else "list"
        if request.method == "DELETE":
            return "delete" if self.name else "deletecollection"
        return _VERBS[request.method]

    @property
    def asked_for(self) -> str:
        """The resource as RBAC calls it."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def split_target(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL's path and query."""
    parts = urlsplit(url)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))


def find_target(path: str, resources: Iterable[Resource]) -> Target | None:
    """Return what a path names, None where it names no object; raises 404 for an unknown kind."""
    parts = [unquote(part) for part in path.split("/") if part]
    if len(parts) > 2 and parts[:2] == ["api", "v1"]:
        return _find("", "v1", parts[2:], resources)
    if len(parts) > 3 and parts[0] == "apis":
        return _find(parts[1], parts[2], parts[3:], resources)
    return None


def _find(group: str, version: str, rest: list[str], resources: Iterable[Resource]) -> Target:
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = [*rest, "", ""][:3]
    for resource in resources:
        if (resource.group, resource.version, resource.plural) == (group, version, plural):
            return Target(resource, namespace, name, subresource)
    raise ApiError(404, "NotFound", "the server could not find the requested resource")
