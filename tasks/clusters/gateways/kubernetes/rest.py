"""A cluster by the REST API of Kubernetes (https://kubernetes.io/docs/reference/using-api/api-concepts/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from app.clusters import Access
from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes.answers import error_of_status, read_object
from tasks.clusters.gateways.kubernetes.base import (
    PAGE,
    Change,
    Execution,
    Kind,
    Limits,
    Object,
    Page,
    Patch,
    Propagation,
    Token,
    Version,
)
from tasks.clusters.gateways.kubernetes.errors import NotKubernetes, ObjectNotFound
from tasks.clusters.gateways.kubernetes.exchange import Exchange
from tasks.clusters.gateways.kubernetes.execution import PROTOCOLS, SocketExecution
from tasks.clusters.gateways.kubernetes.forms import is_formed, read_formed
from tasks.clusters.gateways.kubernetes.kinds import POD, SERVICE_ACCOUNT
from tasks.clusters.gateways.kubernetes.paths import list_path, object_path, with_query
from tasks.gateways.lookup import Keep

_APPLY: Final = "application/apply-patch+yaml"
_REVIEW: Final = Kind("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False)


class RestCluster:
    """`Cluster` over HTTPS. `keep` is called every quarter second of waiting; what it raises ends the call."""

    def __init__(
        self,
        access: Access,
        *,
        rules: AddressRules,
        limits: Limits | None = None,
        keep: Keep = lambda: None,
    ) -> None:
        self._kinds: dict[str, tuple[Kind, ...]] = {}
        self._exchange = Exchange(access, rules, limits or Limits(), keep)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        return read_formed(kind, self._exchange.call("GET", object_path(kind, name, namespace)))

    def list_page(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = PAGE,
        more: str | None = None,
    ) -> Page:
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": limit, "continue": more}
        found = self._exchange.call("GET", with_query(list_path(kind, namespace), query))
        meta, items = _field(found, "metadata", dict), _field(found, "items", list) or []
        # Items of a list carry no kind of their own, which whoever gets one object expects.
        return Page(
            tuple(_named(kind, item) for item in items if is_formed(kind, item)),
            str(meta.get("resourceVersion", "")),
            meta.get("continue") or None,
            meta.get("remainingItemCount"),
        )

    def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        path = list_path(kind, body["metadata"].get("namespace"))
        return read_formed(kind, self._exchange.call("POST", with_query(path, _dry(dry_run)), _named(kind, body)))

    def replace(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        path = with_query(_path_of(kind, body), _dry(dry_run))
        return read_formed(kind, self._exchange.call("PUT", path, _named(kind, body)))

    def apply(self, kind: Kind, body: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Object:
        query = {"fieldManager": manager, "force": "true" if force else None} | _dry(dry_run)
        path = with_query(_path_of(kind, body), query)
        return read_formed(kind, self._exchange.call("PATCH", path, _named(kind, body), _APPLY))

    def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        change: Mapping[str, Any] | Sequence[Any],
        form: Patch = Patch.MERGE,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        path = with_query(object_path(kind, name, namespace, subresource), _dry(dry_run))
        return read_formed(kind, self._exchange.call("PATCH", path, change, form.value))

    def scale(self, kind: Kind, name: str, namespace: str, replicas: int) -> None:
        path = object_path(kind, name, namespace, "scale")
        self._exchange.call("PATCH", path, {"spec": {"replicas": replicas}}, Patch.MERGE.value)

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation = "Background",
        grace: int | None = None,
        uid: str | None = None,
    ) -> None:
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        self._exchange.call("DELETE", object_path(kind, name, namespace), options)

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str,
        seconds: int = 300,
        labels: str | None = None,
    ) -> Iterator[Change]:
        query: dict[str, str | int | None] = {
            "watch": "true",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": seconds,
            "labelSelector": labels,
        }
        for line in self._exchange.lines(with_query(list_path(kind, namespace), query), float(seconds)):
            if line.strip():
                yield _read_change(line)

    def can_i(
        self, verb: str, kind: Kind, namespace: str | None = None, *, name: str = "", subresource: str = ""
    ) -> bool:
        asked = {
            "verb": verb,
            "group": kind.group,
            "resource": kind.plural,
            "subresource": subresource,
            "name": name,
            "namespace": namespace or "",
        }
        body = {"apiVersion": _REVIEW.api_version, "kind": _REVIEW.name, "spec": {"resourceAttributes": asked}}
        answer = self._exchange.call("POST", list_path(_REVIEW, None), body)
        return _field(answer, "status", dict).get("allowed") is True

    def request_token(
        self, service_account: str, namespace: str, *, seconds: int, audiences: Sequence[str] = ()
    ) -> Token:
        path = object_path(SERVICE_ACCOUNT, service_account, namespace, "token")
        spec = {"expirationSeconds": seconds, "audiences": list(audiences)}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self._exchange.call("POST", path, body)
        status, given = _field(answer, "status", dict), _field(answer, "spec", dict).get("expirationSeconds")
        try:
            ends = datetime.fromisoformat(status["expirationTimestamp"])
        except (KeyError, TypeError, ValueError):
            raise NotKubernetes("The server gave no token.") from None
        if not isinstance(status.get("token"), str) or not status["token"].isascii():
            raise NotKubernetes("The server gave no token.")
        return Token(status["token"], given if isinstance(given, int) and 0 < given < seconds else seconds, ends)

    def find_kind(self, api_version: str, name: str) -> Kind:
        if api_version not in self._kinds:
            self._kinds[api_version] = tuple(self._discover(api_version))
        for kind in self._kinds[api_version]:
            if kind.name == name:
                return kind
        raise ObjectNotFound(f"The cluster has no {name[:80]} of {api_version[:80]}.")

    def read_version(self) -> Version:
        told = self._exchange.call("GET", "/version")
        if not isinstance(told.get("gitVersion"), str):
            raise NotKubernetes
        return Version(told["gitVersion"][:80], str(told.get("platform", ""))[:80])

    def is_ready(self) -> bool:
        return self._exchange.probe("/readyz")

    def follow_log(
        self, pod: str, namespace: str, *, container: str | None = None, follow: bool = True, tail: int | None = None
    ) -> Iterator[bytes]:
        query = {"container": container, "follow": "true" if follow else None, "tailLines": tail}
        path = with_query(object_path(POD, pod, namespace, "log"), query)
        # A container that says nothing for an hour is well; whoever follows ends it with `keep`.
        yield from self._exchange.lines(path, float("inf"), silence=float("inf"))

    @contextmanager
    def execute(self, pod: str, namespace: str, command: Sequence[str], *, container: str) -> Iterator[Execution]:
        flags = [(name, "true") for name in ("stdin", "stdout", "stderr")]
        words = [("command", word) for word in command]
        query = urlencode([("container", container), *flags, *words])
        socket = self._exchange.open_socket(f"{object_path(POD, pod, namespace, 'exec')}?{query}", PROTOCOLS)
        try:
            yield SocketExecution(socket)
        finally:
            socket.close()

    def close(self) -> None:
        self._exchange.close()

    def _discover(self, api_version: str) -> Iterator[Kind]:
        root = "apis" if "/" in api_version else "api"
        if not api_version.replace("/", "", 1).replace(".", "").replace("-", "").isalnum():
            raise ObjectNotFound("The cluster has no such API version.")
        found = self._exchange.call("GET", f"/{root}/{api_version}")
        for entry in _field(found, "resources", list):
            plural = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(plural, str) and "/" not in plural:
                yield Kind(api_version, str(entry.get("kind")), plural, bool(entry.get("namespaced")))


def _path_of(kind: Kind, body: Object) -> str:
    meta = body["metadata"]
    return object_path(kind, meta["name"], meta.get("namespace"))


def _named(kind: Kind, body: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}


def _dry(dry_run: bool) -> dict[str, str | int | None]:
    return {"dryRun": "All" if dry_run else None}


def _field(found: Object, name: str, form: type[Any]) -> Any:
    value = found.get(name)
    if value is None:
        return form()
    if not isinstance(value, form):
        raise NotKubernetes(f"The server's answer has an unreadable {name}.")
    return value


def _read_change(line: bytes) -> Change:
    told = read_object(line)
    found = _field(told, "object", dict)
    if told.get("type") == "ERROR":
        code = found.get("code")
        raise error_of_status(code if isinstance(code, int) else 500, found)
    version = _field(found, "metadata", dict).get("resourceVersion")
    if told.get("type") not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK") or not isinstance(version, str):
        raise NotKubernetes("The server's watch tells what nobody knows.")
    return Change(told["type"], found)
