"""What a template of pods is granted: the account it runs as, what it shares with its node, what its containers may.
Pure.

It is held by value against what has to be there, whoever is named as its writer, for anybody may take our name. An
image is not among it: another one may wait for an upgrade.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tasks.clusters.gateways.kubernetes import Object

Grant = tuple[str, str]
"""Where something is granted, and what."""

_TEMPLATE: Final = "spec.template.spec"
_SHARED: Final = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")


def find_loosened(wanted: Object, live: Object) -> list[str]:
    """Return the paths at which the pods of a live object are granted more than, or others than, they have to be.

    What a host or an admission hook has tightened is not among them.
    """
    return sorted({path for path, _ in set(_grants_of(live)) - set(_grants_of(wanted))})


def _grants_of(body: Object) -> Iterator[Grant]:
    spec = _map(_map(_map(body.get("spec")).get("template")).get("spec"))
    if not spec:
        return
    yield f"{_TEMPLATE}.serviceAccountName", str(spec.get("serviceAccountName") or "default")
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{_TEMPLATE}.automountServiceAccountToken", "yes"
    yield from ((f"{_TEMPLATE}.{name}", "yes") for name in _SHARED if spec.get(name))
    yield from _grants_of_context(spec.get("securityContext"), _TEMPLATE)
    for volume in _maps(spec.get("volumes")):
        # Where files come from; an empty folder is nobody else's.
        source = {name: _without_mode(said) for name, said in volume.items() if name not in ("name", "emptyDir")}
        if source:
            yield f"{_TEMPLATE}.volumes[{volume.get('name')}]", _spell(source)
    for kind in _CONTAINERS:
        for one in _maps(spec.get(kind)):
            yield from _grants_of_container(one, f"{_TEMPLATE}.{kind}[{one.get('name')}]")


def _grants_of_container(container: Mapping[str, Any], path: str) -> Iterator[Grant]:
    yield path, "is there"
    context = _map(container.get("securityContext"))
    yield from _grants_of_context(context, path)
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{path}.securityContext.allowPrivilegeEscalation", "yes"
    for one in _maps(container.get("ports")):
        if one.get("hostPort"):
            yield f"{path}.ports", str(one["hostPort"])
    for one in _maps(container.get("volumeDevices")):
        yield f"{path}.volumeDevices", str(one.get("name"))


def _grants_of_context(said: Any, path: str) -> Iterator[Grant]:
    context, path = _map(said), f"{path}.securityContext"
    if context.get("privileged"):
        yield f"{path}.privileged", "yes"
    added = _map(context.get("capabilities")).get("add")
    for name in added if isinstance(added, list) else ():
        yield f"{path}.capabilities.add", str(name)
    if context.get("procMount") not in (None, "Default"):
        yield f"{path}.procMount", str(context["procMount"])
    for name in ("seccompProfile", "appArmorProfile"):
        if _map(context.get(name)).get("type") == "Unconfined":
            yield f"{path}.{name}", "Unconfined"
    for name in ("seLinuxOptions", "sysctls", "windowsOptions"):
        if context.get(name):
            yield f"{path}.{name}", _spell(context[name])


def _without_mode(said: Any) -> Any:
    return {name: one for name, one in said.items() if name != "defaultMode"} if isinstance(said, Mapping) else said


def _spell(said: Any) -> str:
    return json.dumps(said, sort_keys=True)


def _map(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _maps(said: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in (said if isinstance(said, list) else ()) if isinstance(one, Mapping))
