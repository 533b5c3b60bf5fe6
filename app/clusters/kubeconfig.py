"""Kubeconfigs: read strictly from hostile text, and written for a user.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. One context is taken; what belongs to others is
neither checked nor kept. Whatever would run a program, open a file or send elsewhere is refused by its field.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import yaml

from app.clusters.access import Access, AccessRules, find_access_faults
from app.kernel.errors import FieldError, Invalid
from app.kernel.yaml_text import UnreadableText, read_document

LARGEST: Final = 256 * 1024
MOST_CONTEXTS: Final = 10

_Map = Mapping[str, Any]
_NO_PROGRAM: Final = "must not run a program; give a token or a client certificate"
_NO_FILE: Final = "must not name a file; give the data itself"
_REFUSED: Final = {
    "exec": _NO_PROGRAM,
    "auth-provider": _NO_PROGRAM,
    "proxy-url": "must not name a proxy",
    "certificate-authority": f"{_NO_FILE} as certificate-authority-data",
    "client-certificate": f"{_NO_FILE} as client-certificate-data",
    "client-key": f"{_NO_FILE} as client-key-data",
    "tokenFile": f"{_NO_FILE} as token",
    "username": "is not supported; give a token or a client certificate",
    "password": "is not supported; give a token or a client certificate",
    **dict.fromkeys(("as", "as-uid", "as-groups", "as-user-extra"), "must not act as somebody else"),
}
_CLUSTER: Final = {
    "server": "server",
    "certificate-authority-data": "ca",
    "tls-server-name": "server_name",
    "insecure-skip-tls-verify": "verify",
}
_USER: Final = {"token": "token", "client-certificate-data": "certificate", "client-key-data": "key"}
_IGNORED: Final = frozenset({"extensions", "disable-compression"})


class KubeconfigInvalid(Invalid):
    """The kubeconfig cannot be used."""


def read_kubeconfig(text: str | bytes, rules: AccessRules, *, now: datetime, context: str | None = None) -> Access:
    """Return what the named context opens, or the current one; raises KubeconfigInvalid with a fault for each field.

    Fields are named by their place in the kubeconfig (`users[0].user.exec`); the whole of it is the field "".
    """
    return _Reader(_load(text)).read(context, rules, now)


def write_kubeconfig(name: str, access: Access, *, namespace: str | None = None) -> str:
    """Return the YAML of a kubeconfig with one context, called `name`. It holds the access's secrets."""
    cluster = {
        "server": access.server,
        "certificate-authority-data": _encode(access.ca),
        "tls-server-name": access.server_name,
        "insecure-skip-tls-verify": None if access.verify else True,
    }
    user = {
        "token": access.token,
        "client-certificate-data": _encode(access.certificate),
        "client-key-data": _encode(access.key),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": _given(cluster)}],
        "users": [{"name": name, "user": _given(user)}],
        "contexts": [{"name": name, "context": _given({"cluster": name, "user": name, "namespace": namespace})}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _load(text: str | bytes) -> _Map:
    try:
        document = read_document(text, max_bytes=LARGEST)
    except UnreadableText as error:
        raise _invalid([FieldError("", str(error))]) from None
    if not isinstance(document, dict):
        raise _invalid([FieldError("", "must be a map")])
    if document.get("kind", "Config") != "Config" or document.get("apiVersion", "v1") != "v1":
        raise _invalid([FieldError("kind", "must be Config of apiVersion v1")])
    return document


class _Reader:
    def __init__(self, document: _Map) -> None:
        self._document = document
        self._faults: list[FieldError] = []
        self._places: dict[str, str] = {}
        self._found: dict[str, Any] = {}

    def read(self, context: str | None, rules: AccessRules, now: datetime) -> Access:
        chosen = self._choose(context)
        cluster, cluster_path = self._entry("clusters", "cluster", chosen.get("cluster"))
        user, user_path = self._entry("users", "user", chosen.get("user"))
        self._take(cluster, cluster_path, _CLUSTER)
        self._take(user, user_path, _USER)
        self._places.setdefault("server", f"{cluster_path}.server")
        self._require_server()
        if self._faults:
            raise _invalid(self._faults)
        access = Access(**self._found)
        faults = find_access_faults(access, rules, now)
        if faults:
            raise _invalid([FieldError(self._place(fault.field, user_path), fault.message) for fault in faults])
        return access

    def _choose(self, context: str | None) -> _Map:
        contexts = self._document.get("contexts")
        if isinstance(contexts, list) and len(contexts) > MOST_CONTEXTS:
            raise _invalid([FieldError("contexts", f"has {len(contexts)} contexts; at most {MOST_CONTEXTS} are taken")])
        name = context if context is not None else self._document.get("current-context")
        if not name:
            raise _invalid([FieldError("current-context", "is missing: say which context to use")])
        return self._entry("contexts", "context", name)[0]

    def _entry(self, listing: str, kind: str, name: Any) -> tuple[_Map, str]:
        """Return the one named entry of a list of the kubeconfig, and its path."""
        entries = self._document.get(listing)
        if not isinstance(entries, list):
            raise _invalid([FieldError(listing, "must be a list")])
        matches = [
            (index, entry)
            for index, entry in enumerate(entries)
            if isinstance(entry, dict) and entry.get("name") == name
        ]
        if not isinstance(name, str) or len(matches) != 1:
            many = "more than once" if matches else "not"
            raise _invalid([FieldError(listing, f"holds the {kind} {str(name)[:80]!r} {many}")])
        index, entry = matches[0]
        path = f"{listing}[{index}].{kind}"
        if not isinstance(entry.get(kind), dict):
            raise _invalid([FieldError(path, "must be a map")])
        return entry[kind], path

    def _take(self, values: _Map, path: str, known: Mapping[str, str]) -> None:
        for key, value in values.items():
            place = f"{path}.{key[:80]}"
            if value is None or key in _IGNORED:
                continue
            if key in _REFUSED:
                self._faults.append(FieldError(place, _REFUSED[key]))
            elif key not in known:
                self._faults.append(FieldError(place, "is not known"))
            else:
                self._places[known[key]] = place
                self._found[known[key]] = self._convert(key, value, place)

    def _convert(self, key: str, value: Any, place: str) -> Any:
        if key == "insecure-skip-tls-verify":
            if isinstance(value, bool):
                return not value
            self._faults.append(FieldError(place, "must be true or false"))
        elif not isinstance(value, str):
            self._faults.append(FieldError(place, "must be text"))
        elif key.endswith("-data"):
            return self._decode(value, place)
        return value

    def _decode(self, value: str, place: str) -> str:
        try:
            return base64.b64decode("".join(value.split()), validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            self._faults.append(FieldError(place, "is not PEM in base64"))
            return ""

    def _require_server(self) -> None:
        if not self._found.get("server"):
            self._faults.append(FieldError(self._places["server"], "is missing"))

    def _place(self, field: str, user_path: str) -> str:
        names = {"token": "token", "certificate": "client-certificate-data", "key": "client-key-data"}
        return self._places.get(field) or f"{user_path}.{names[field]}"


def _invalid(faults: list[FieldError]) -> KubeconfigInvalid:
    return KubeconfigInvalid(errors=faults)


def _encode(pem: str | None) -> str | None:
    return None if pem is None else base64.b64encode(pem.encode()).decode()


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
