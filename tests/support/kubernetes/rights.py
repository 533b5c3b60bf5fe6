"""Who is asking, and what they may: tokens, certificates, and RBAC. Nobody is kept from giving rights they lack."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.kubernetes.statuses import ApiError
from tests.support.kubernetes.store import Key, Store

Object = dict[str, Any]
MASTERS = "system:masters"
_READ = ["get", "list", "watch"]
_WRITE = [*_READ, "create", "update", "patch", "delete", "deletecollection"]
_GROUPS = ["", "apps", "batch", "networking.k8s.io"]
_RBAC = "rbac.authorization.k8s.io"
_CONTENT = [
    "pods",
    "pods/log",
    "services",
    "configmaps",
    "persistentvolumeclaims",
    "deployments",
    "statefulsets",
    "jobs",
]
_CONTENT += ["deployments/scale", "statefulsets/scale", "replicasets", "daemonsets", "ingresses", "networkpolicies"]
_SEEN = ["resourcequotas", "limitranges", "events", "namespaces", "serviceaccounts", "endpoints"]


def _rule(verbs: list[str], resources: list[str], groups: list[str] | None = None) -> Object:
    return {"apiGroups": _GROUPS if groups is None else groups, "resources": resources, "verbs": verbs}


_VIEW = [_rule(_READ, _CONTENT + _SEEN)]
_EDIT = [*_VIEW, _rule(_WRITE, [*_CONTENT, "pods/exec", "secrets", "serviceaccounts"])]
DEFAULT_ROLES: dict[str, list[Object]] = {
    "cluster-admin": [_rule(["*"], ["*"], ["*"])],
    "view": _VIEW,
    "edit": _EDIT,
    "admin": [*_EDIT, _rule(_WRITE, ["roles", "rolebindings"], [_RBAC])],
    "system:basic-user": [
        _rule(["create"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["authorization.k8s.io"])
    ],
}


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True)
class Asked:
    """What somebody wants to do."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Tokens:
    """Tokens and whose they are, some until a moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[User, datetime | None, str]] = {}

    def issue(self, user: User, *, seconds: float | None = None, account_uid: str = "") -> tuple[str, datetime | None]:
        """Return a new token and when it ends."""
        token = secrets.token_urlsafe(24)
        ends = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
        self._known[token] = (user, ends, account_uid)
        return token, ends

    def find(self, header: str | None) -> User:
        """Return whose an Authorization header is; raises 401."""
        if header is None:
            return ANONYMOUS
        user, ends, account_uid = self._known.get(header.removeprefix("Bearer "), (None, None, ""))
        if user is None or (ends is not None and ends < datetime.now(UTC)) or not self._is_alive(user, account_uid):
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return User(user.name, (*user.groups, "system:authenticated"))

    def _is_alive(self, user: User, account_uid: str) -> bool:
        if not account_uid:
            return True
        _, _, namespace, name = user.name.split(":")
        account = self._store.get(Key("serviceaccounts.", namespace, name))
        return account is not None and account["metadata"]["uid"] == account_uid


def service_account(namespace: str, name: str) -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


def may(store: Store, user: User, asked: Asked) -> bool:
    """Tell whether RBAC allows it."""
    if MASTERS in user.groups:
        return True
    bindings = [(binding, "") for binding in store.list(f"clusterrolebindings.{_RBAC}")]
    if asked.namespace:
        bindings += [(binding, asked.namespace) for binding in store.list(f"rolebindings.{_RBAC}", asked.namespace)]
    return any(
        _allows(rule, asked)
        for binding, namespace in bindings
        if any(_is_subject(subject, user, namespace) for subject in binding.get("subjects") or [])
        for rule in _rules_of(store, binding["roleRef"], namespace)
    )


def _rules_of(store: Store, reference: Object, namespace: str) -> list[Object]:
    if reference["kind"] == "ClusterRole":
        role = store.get(Key(f"clusterroles.{_RBAC}", "", reference["name"]))
    else:
        role = store.get(Key(f"roles.{_RBAC}", namespace, reference["name"]))
    return (role or {}).get("rules") or []


def _is_subject(subject: Object, user: User, namespace: str) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    if subject["kind"] == "ServiceAccount":
        return service_account(subject.get("namespace", namespace), subject["name"]).name == user.name
    return bool(subject["name"] == user.name)


def _allows(rule: Object, asked: Asked) -> bool:
    names = rule.get("resourceNames")
    return (
        _among(asked.verb, rule["verbs"])
        and _among(asked.group, rule.get("apiGroups") or [])
        and _among(asked.resource, rule.get("resources") or [])
        and (not names or asked.name in names)
    )


def _among(value: str, allowed: list[str]) -> bool:
    return "*" in allowed or value in allowed
