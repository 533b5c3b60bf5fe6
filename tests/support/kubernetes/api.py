"""What the API server does with a request: who asks, may they, and the verb."""

from __future__ import annotations

import base64
import binascii
import copy
import json
from typing import Any

from tests.support.kubernetes import applying, kinds, objects, patches
from tests.support.kubernetes.kinds import Resource
from tests.support.kubernetes.requests import Request, Target, find_target
from tests.support.kubernetes.reviews import review
from tests.support.kubernetes.rights import DEFAULT_ROLES, Asked, Tokens, may, service_account
from tests.support.kubernetes.selectors import matches
from tests.support.kubernetes.statuses import ApiError, bad_request, forbidden, invalid, not_found, stale
from tests.support.kubernetes.store import FIRST_VERSION, Key, Store

Object = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"
_PUBLIC = ("/version", "/readyz", "/livez", "/healthz")


class Api:
    """The server without its HTTP. `version` and `is_ready` may be changed; `token_seconds` overrides how long tokens
    of service accounts live; with `has_metrics` there is the metrics API, with what was put there."""

    def __init__(self) -> None:
        self.store = Store()
        self.tokens = Tokens(self.store)
        self.version = "v1.31.0"
        self.is_ready = True
        self.has_metrics = False
        self.token_seconds: float | None = None
        with self.store.lock:
            for name in ("default", "kube-system"):
                self.make(kinds.NAMESPACES, {"metadata": {"name": name}})
            for name, rules in DEFAULT_ROLES.items():
                self.make(kinds.BY_KEY[f"clusterroles.{_RBAC}"], {"metadata": {"name": name}, "rules": rules})
            basic = {"kind": "ClusterRole", "name": "system:basic-user", "apiGroup": _RBAC}
            everybody = {"kind": "Group", "name": "system:authenticated", "apiGroup": _RBAC}
            body = {"metadata": {"name": "system:basic-user"}, "roleRef": basic, "subjects": [everybody]}
            self.make(kinds.BY_KEY[f"clusterrolebindings.{_RBAC}"], body)

    def resources(self) -> list[Resource]:
        """Return all kinds that there are now."""
        definitions = self.store.list("customresourcedefinitions.apiextensions.k8s.io")
        built_in = (*kinds.BUILT_IN, *(kinds.METRICS if self.has_metrics else ()))
        return [*built_in, *(kind for definition in definitions for kind in kinds.of_definition(definition))]

    def make(self, resource: Resource, body: Object) -> Object:
        """Make an object as the server itself."""
        return objects.make(self.store, resource, body, manager="server")

    def answer(self, request: Request) -> tuple[int, Any]:
        """Return status and body of everything that is not a stream; raises ApiError."""
        with self.store.lock:
            told = self._discover(request)
            if told is not None:
                return 200, told
            reviewed = review(self.store, request, request.read_body()) if request.method == "POST" else None
            if reviewed is not None:
                return 201, reviewed
            target = self.target_of(request)
            return self._act(target, request)

    def target_of(self, request: Request) -> Target:
        """Return what a request is about; raises 403 where its user may not, and 404."""
        target = find_target(request.path, self.resources())
        if target is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        verb = target.verb_of(request)
        namespace = target.name if target.resource is kinds.NAMESPACES else target.namespace
        asked = Asked(verb, target.resource.group, target.asked_for, namespace, target.name)
        if not may(self.store, request.user, asked):
            where = f' in the namespace "{target.namespace}"' if target.namespace else " at the cluster scope"
            group = f'API group "{target.resource.group}"'
            why = f'User "{request.user.name}" cannot {verb} resource "{target.asked_for}" in {group}{where}'
            raise forbidden(target.resource.shown, target.name, why)
        return target

    def _discover(self, request: Request) -> Any:
        path = request.path.rstrip("/")
        if path in _PUBLIC:
            return self._tell_health(path)
        if request.method != "GET":
            return None
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return kinds.discover_groups(self.resources())
        parts = path.split("/")[1:]
        wanted = {("api", 2): parts[-1], ("apis", 3): "/".join(parts[1:])}.get((parts[0], len(parts)))
        found = kinds.discover(self.resources(), wanted) if wanted else None
        return found if found is None or found["resources"] else None

    def _tell_health(self, path: str) -> Any:
        if path == "/version":
            return {"major": "1", "minor": "31", "gitVersion": self.version, "platform": "linux/amd64"}
        if not self.is_ready:
            raise ApiError(500, "InternalError", "[-]etcd failed: reason withheld")
        return "ok"

    def _act(self, target: Target, request: Request) -> tuple[int, Any]:
        if target.subresource == "scale":
            return 200, self._scale(target, request)
        if target.subresource == "token":
            return 201, self._issue_token(target, request)
        if target.subresource not in ("", "status"):
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        match request.method:
            case "GET":
                return 200, self._get(target) if target.name else self._list(target, request)
            case "POST":
                return 201, self._create(target, request)
            case "PUT":
                return 200, self._update(target, request)
            case "PATCH":
                return self._patch(target, request)
            case _:
                return 200, self._delete(target, request) if target.name else self._delete_all(target, request)

    def _get(self, target: Target) -> Object:
        found = self.store.get(_key(target))
        if found is None:
            raise not_found(target.resource.shown, target.name)
        return found

    def _list(self, target: Target, request: Request) -> Object:
        limit = int(request.query.get("limit") or 0)
        if request.query.get("continue"):
            version, start = _read_continue(request.query["continue"])
            items = self.store.kept_list(version)
        else:
            start = 0
            items = self._select(target, request)
            version = self.store.keep_list(items) if limit and len(items) > limit else self.store.version
        stop = start + limit if limit else len(items)
        meta: Object = {"resourceVersion": str(version)}
        if stop < len(items):
            meta |= {"continue": _write_continue(version, stop), "remainingItemCount": len(items) - stop}
        resource = target.resource
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": meta,
            "items": [_untyped(resource, item) for item in items[start:stop]],
        }

    def _select(self, target: Target, request: Request) -> list[Object]:
        selectors = (request.query.get("labelSelector"), request.query.get("fieldSelector"))
        found = self.store.list(target.resource.key, target.namespace or None)
        return [body for body in found if matches(body, *selectors)]

    def _create(self, target: Target, request: Request) -> Object:
        body = _placed(target, request.read_body())
        return objects.make(self.store, target.resource, body, manager=request.manager, dry=request.is_dry)

    def _update(self, target: Target, request: Request) -> Object:
        body = _placed(target, request.read_body())
        return self._change(target, request, self._get(target), body)

    def _change(self, target: Target, request: Request, before: Object, after: Object) -> Object:
        part, dry = target.subresource, request.is_dry
        return objects.change(self.store, target.resource, before, after, manager=request.manager, part=part, dry=dry)

    def _patch(self, target: Target, request: Request) -> tuple[int, Object]:
        body = request.read_body()
        if request.media_type == "application/apply-patch+yaml":
            return self._apply(target, request, _placed(target, body))
        before = self._get(target)
        match request.media_type:
            case "application/merge-patch+json":
                after = patches.merge(before, body)
            case "application/json-patch+json":
                after = patches.patch_json(before, body)
            case "application/strategic-merge-patch+json" if target.resource.schema is None:
                after = patches.merge_strategic(before, body)
            case _:
                said = "the body of the request was in an unknown format"
                raise ApiError(415, "UnsupportedMediaType", said)
        return 200, self._change(target, request, before, after)

    def _apply(self, target: Target, request: Request, body: Object) -> tuple[int, Object]:
        if not request.query.get("fieldManager"):
            raise bad_request("fieldManager is required for apply patch")
        manager, force = request.query["fieldManager"], request.query.get("force") == "true"
        live = self.store.get(_key(target))
        if live is None:
            meta = {"name": target.name} | ({"namespace": target.namespace} if target.namespace else {})
            applied = applying.apply({"metadata": meta}, body, manager, force)
            made = objects.make(self.store, target.resource, applied, manager=manager, dry=request.is_dry)
            return 201, made
        after = applying.apply(live, body, manager, force)
        after["metadata"].pop("resourceVersion", None)
        return 200, self._change(target, request, live, after)

    def _delete(self, target: Target, request: Request) -> Object:
        body = self._get(target)
        options = request.read_body() or {}
        uid = (options.get("preconditions") or {}).get("uid")
        if uid and uid != body["metadata"]["uid"]:
            raise stale(target.resource.shown, target.name)
        if not request.is_dry:
            policy = options.get("propagationPolicy") or request.query.get("propagationPolicy") or "Background"
            grace = options.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
            graceful = str(grace) != "0"
            gone = objects.end(self.store, target.resource, body, propagation=policy, graceful=graceful)
            if not gone:
                return self._get(target)
        details = {"name": target.name, "kind": target.resource.plural, "uid": body["metadata"]["uid"]}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _delete_all(self, target: Target, request: Request) -> Object:
        for body in self._select(target, request):
            objects.end(self.store, target.resource, body)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _scale(self, target: Target, request: Request) -> Object:
        body = self._get(Target(target.resource, target.namespace, target.name, ""))
        scale = _scale_of(body)
        if request.method in ("PATCH", "PUT"):
            wanted = patches.merge(scale, request.read_body())["spec"].get("replicas", 0)
            after = copy.deepcopy(body)
            after["spec"]["replicas"] = wanted
            whole = Target(target.resource, target.namespace, target.name, "")
            scale = _scale_of(self._change(whole, request, body, after))
        return scale

    def _issue_token(self, target: Target, request: Request) -> Object:
        account = self._get(Target(target.resource, target.namespace, target.name, ""))
        asked = request.read_body()
        seconds = asked.get("spec", {}).get("expirationSeconds", 3600)
        if seconds < 600:
            said = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
            raise invalid("TokenRequest", target.name, [("spec.expirationSeconds", said)])
        lifetime = seconds if self.token_seconds is None else self.token_seconds
        user = service_account(target.namespace, target.name)
        token, ends = self.tokens.issue(user, seconds=lifetime, account_uid=account["metadata"]["uid"])
        status = {"token": token, "expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ") if ends else None}
        return (
            {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}
            | asked
            | {"status": status}
        )


def _key(target: Target) -> Key:
    return Key(target.resource.key, target.namespace, target.name)


def _placed(target: Target, body: Any) -> Object:
    """The body with the namespace and name of the path; raises 400 where it has others."""
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized")
    meta = body.setdefault("metadata", {})
    if target.resource.namespaced and meta.setdefault("namespace", target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if target.name and meta.setdefault("name", target.name) != target.name:
        raise bad_request("the name of the object does not match the name on the URL")
    return body


def _untyped(resource: Resource, body: Object) -> Object:
    if resource.schema is not None:
        return body
    return {key: value for key, value in body.items() if key not in ("kind", "apiVersion")}


def _scale_of(body: Object) -> Object:
    meta = {
        name: body["metadata"][name]
        for name in ("name", "namespace", "uid", "resourceVersion")
        if name in body["metadata"]
    }
    replicas = body["spec"].get("replicas", 0)
    status = {"replicas": body.get("status", {}).get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": {"replicas": replicas}} | {
        "status": status
    }


def _write_continue(version: int, start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, start]).encode()).decode()


def _read_continue(text: str) -> tuple[int, int]:
    try:
        version, start = json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError):
        raise bad_request("continue key is not valid") from None
    return max(version, FIRST_VERSION), start
