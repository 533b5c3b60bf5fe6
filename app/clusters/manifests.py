"""Manifests: hostile text to objects that may be applied, checked before anything is asked of a cluster. No IO."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.kernel.errors import FieldError, Invalid
from app.kernel.yaml_text import UnreadableText, read_documents

LARGEST: Final = 1024 * 1024
MOST_OBJECTS: Final = 200
RBAC: Final = "rbac.authorization.k8s.io"

_API_VERSION: Final = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?")
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_NAME: Final = 253
# Kubernetes' own `admin` of a namespace may not write its bounds either; OpenShift has roles in a group of its own.
_GUARDED: Final = frozenset({"Role", "RoleBinding", "ResourceQuota", "LimitRange"})
# So that somebody is refused at once; what else lies in no namespace, the cluster tells.
_WITHOUT_NAMESPACE: Final = frozenset(
    {
        *("Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"),
        *("StorageClass", "PriorityClass", "RuntimeClass", "IngressClass", "APIService", "CertificateSigningRequest"),
        *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "PodSecurityPolicy"),
    }
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object as its author wants it; `namespace` is empty where it names none."""

    api_version: str
    kind: str
    namespace: str
    name: str
    body: dict[str, Any]

    @property
    def is_guarded(self) -> bool:
        """Whether it says who may do what in its namespace, or how much may be used there."""
        return self.api_version.partition("/")[0] == RBAC or self.kind in _GUARDED

    @property
    def is_wide(self) -> bool:
        """Whether it is known to lie in no namespace."""
        return self.kind in _WITHOUT_NAMESPACE


def find_namespace_fault(namespace: str) -> str | None:
    """Return why a namespace cannot be called so, or None."""
    return None if _NAMESPACE.fullmatch(namespace) else "must have 1 to 63 small letters, digits or dashes"


def read_manifests(text: str, field: str = "manifests") -> list[Manifest]:
    """Return the objects of a text in YAML or JSON, those of lists one by one; raises Invalid with a fault for each."""
    try:
        documents = read_documents(text, max_bytes=LARGEST, max_documents=MOST_OBJECTS)
    except UnreadableText as error:
        raise Invalid(errors=[FieldError(field, str(error))]) from None
    placed = list(_spread(documents, field))
    if not placed:
        raise Invalid(errors=[FieldError(field, "holds no object")])
    if len(placed) > MOST_OBJECTS:
        raise Invalid(errors=[FieldError(field, f"holds more than {MOST_OBJECTS} objects")])
    faults = [FieldError(place, fault) for path, body in placed for place, fault in _faults(path, body)]
    if faults:
        raise Invalid(errors=faults)
    return [_manifest(body) for _, body in placed]


def _spread(documents: Sequence[Any], field: str) -> Iterator[tuple[str, Any]]:
    """Yield the objects with their places; a List is what is in it."""
    for index, document in enumerate(documents):
        path = f"{field}[{index}]"
        if isinstance(document, dict) and document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from ((f"{path}.items[{inner}]", item) for inner, item in enumerate(document["items"]))
        else:
            yield path, document


def _faults(path: str, body: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(body, dict):
        yield path, "must be an object"
        return
    if not _fits(_API_VERSION, body.get("apiVersion")):
        yield f"{path}.apiVersion", "must be an API version, such as apps/v1"
    if not _fits(_KIND, body.get("kind")):
        yield f"{path}.kind", "must be a kind, such as Deployment"
    meta = body.get("metadata")
    if not isinstance(meta, dict):
        yield f"{path}.metadata", "must be a map"
        return
    yield from ((f"{path}.metadata.{name}", fault) for name, fault in _meta_faults(meta))


def _meta_faults(meta: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name, namespace = meta.get("name"), meta.get("namespace")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or re.search(r"[/%\x00-\x20]", name):
        yield "name", f"must have 1 to {_LONGEST_NAME} characters, without spaces, slashes and percent signs"
    if namespace is not None and not _fits(_NAMESPACE, namespace):
        yield "namespace", "must have 1 to 63 small letters, digits or dashes"
    if "managedFields" in meta:
        yield "managedFields", "must not be given: the cluster keeps them"


def _fits(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _manifest(body: dict[str, Any]) -> Manifest:
    meta = body["metadata"]
    return Manifest(body["apiVersion"], body["kind"], meta.get("namespace") or "", meta["name"], body)
