"""Providers: where clusters come from, what each needs, and whether it can be used here. No IO but a look at what is
installed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final, Literal
from uuid import UUID

from app.kernel.errors import FieldError, Invalid

KUBECONFIG: Final = "kubeconfig"
EKS: Final = "eks"
CAPI: Final = "capi"
LOCAL: Final = "local"
LOCAL_PROGRAMS: Final = ("k3d", "kind")

Kind = Literal["string", "integer", "uuid", "list", "groups"]

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST: Final = 512
_MOST_ITEMS: Final = 20
_MOST_NODES: Final = 1000


@dataclass(frozen=True, slots=True)
class ProviderField:
    """Something that a provider has to be told: a parameter, or, if `secret`, a credential that never comes back."""

    name: str
    type: Kind
    description: str
    required: bool = True
    secret: bool = False
    pattern: str | None = None
    example: Any = None


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """A provider. `managed` ones make clusters and take them away; `find_obstacle` says why it cannot be used here."""

    name: str
    description: str
    fields: tuple[ProviderField, ...]
    managed: bool = True
    find_obstacle: Callable[[bool], str | None] = field(default=lambda _: None)


def _find_boto(_: bool) -> str | None:
    if find_spec("boto3") is not None:
        return None
    return "The library boto3 is not installed here: `pip install boto3`, for the API and the workers."


def _find_program(allow_local: bool) -> str | None:
    if not allow_local:
        return "This installation does not run clusters on its own machines (ALLOW_LOCAL_CLUSTERS)."
    if any(shutil.which(program) for program in LOCAL_PROGRAMS):
        return None
    return f"None of these programs is on the PATH here: {', '.join(LOCAL_PROGRAMS)}."


_VERSION: Final = ProviderField(
    "version", "string", "The Kubernetes version; a newer one upgrades", False, False, r"v?1\.[0-9]{1,3}(\.[0-9]{1,3})?"
)
_ARN: Final = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}"

PROVIDERS: Final[Mapping[str, ProviderKind]] = {
    kind.name: kind
    for kind in (
        ProviderKind(
            KUBECONFIG,
            "A cluster that is there already, by its kubeconfig, or by its server and what opens it",
            (ProviderField("kubeconfig", "string", "YAML or JSON, as it is or in base64", secret=True),),
            managed=False,
        ),
        ProviderKind(
            EKS,
            "Amazon EKS: a cluster with its node groups",
            (
                ProviderField("access_key_id", "string", "Of the account that pays", secret=True, pattern=r"[A-Z0-9]+"),
                ProviderField("secret_access_key", "string", "The secret of that key", secret=True),
                ProviderField(
                    "region", "string", "AWS region", pattern=r"[a-z]{2}(-[a-z]+)+-[0-9]", example="eu-west-1"
                ),
                ProviderField("role_arn", "string", "The role of the control plane", pattern=_ARN),
                ProviderField("node_role_arn", "string", "The role of the nodes", pattern=_ARN),
                ProviderField("subnet_ids", "list", "Two subnets or more", pattern=r"subnet-[0-9a-f]{1,32}"),
                ProviderField(
                    "node_groups",
                    "groups",
                    "Groups of nodes: `name`, `instance_type`, `min`, `max`, `desired`",
                    example=[{"name": "main", "instance_type": "t3.large", "min": 1, "max": 3, "desired": 2}],
                ),
                _VERSION,
            ),
            find_obstacle=_find_boto,
        ),
        ProviderKind(
            CAPI,
            "Cluster API: a cluster of a class, made by a management cluster that is registered here",
            (
                ProviderField(
                    "management_cluster_id", "uuid", "A cluster of the same organization that runs Cluster API"
                ),
                ProviderField("namespace", "string", "Where its objects are kept there", False, pattern=_NAME.pattern),
                ProviderField("cluster_class", "string", "The ClusterClass", pattern=_NAME.pattern),
                ProviderField("version", "string", "The Kubernetes version", pattern=r"v1\.[0-9]{1,3}\.[0-9]{1,3}"),
                ProviderField("control_plane_replicas", "integer", "Nodes of the control plane; 1 unless given", False),
                ProviderField("worker_class", "string", "The class of the workers", False, pattern=_NAME.pattern),
                ProviderField("worker_replicas", "integer", "Workers; 1 unless given", False),
            ),
        ),
        ProviderKind(
            LOCAL,
            "A cluster in containers on a worker's machine, by k3d or kind: for development",
            (ProviderField("nodes", "integer", "How many nodes; 1 unless given", False),),
            find_obstacle=_find_program,
        ),
    )
}


def read_wishes(name: str, parameters: Mapping[str, Any], credentials: Mapping[str, Any]) -> None:
    """Check what a managed provider is told; raises Invalid with a fault for each field."""
    kind = PROVIDERS[name]
    faults = [
        *_find_faults("parameters", [one for one in kind.fields if not one.secret], parameters),
        *_find_faults("credentials", [one for one in kind.fields if one.secret], credentials),
    ]
    if faults:
        raise Invalid(errors=faults)


def _find_faults(place: str, known: list[ProviderField], given: Mapping[str, Any]) -> Iterator[FieldError]:
    names = {one.name for one in known}
    yield from (FieldError(f"{place}.{name[:80]}", "is not known") for name in given if name not in names)
    for one in known:
        value = given.get(one.name)
        if value is None:
            if one.required:
                yield FieldError(f"{place}.{one.name}", "is missing")
        elif fault := _CHECKS[one.type](value, one):
            yield FieldError(f"{place}.{one.name}", fault)


def _find_text_fault(value: Any, known: ProviderField) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        return f"must be text of 1 to {_LONGEST} characters"
    return None if known.pattern is None or re.fullmatch(known.pattern, value) else "is not of the form it has to have"


def _find_number_fault(value: Any, _: ProviderField) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_NODES:
        return f"must be a whole number from 0 to {_MOST_NODES}"
    return None


def _find_id_fault(value: Any, _: ProviderField) -> str | None:
    try:
        UUID(value)
    except (ValueError, TypeError, AttributeError):
        return "must be an id"
    return None


def _find_list_fault(value: Any, known: ProviderField) -> str | None:
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_ITEMS:
        return f"must be a list of 1 to {_MOST_ITEMS}"
    return next((fault for one in value if (fault := _find_text_fault(one, known))), None)


def _find_groups_fault(value: Any, known: ProviderField) -> str | None:
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_ITEMS:
        return f"must be a list of 1 to {_MOST_ITEMS}"
    names = [one.get("name") for one in value if isinstance(one, dict)]
    if len(set(map(str, names))) != len(value):
        return "must hold maps with different names"
    return next((fault for one in value if (fault := _find_group_fault(one, known))), None)


def _find_group_fault(group: dict[str, Any], known: ProviderField) -> str | None:
    sizes = [group.get(name) for name in ("min", "desired", "max")]
    if group.keys() != {"name", "instance_type", "min", "max", "desired"}:
        return "each has name, instance_type, min, max and desired"
    if not _NAME.fullmatch(str(group["name"])) or not re.fullmatch(
        r"[a-z0-9-]+\.[a-z0-9-]+", str(group["instance_type"])
    ):
        return "has a name or an instance type that cannot be"
    if any(_find_number_fault(size, known) for size in sizes) or sizes != sorted(sizes, key=int):  # type: ignore[arg-type]
        return "has sizes that are not 0 ≤ min ≤ desired ≤ max"
    return None


_CHECKS: Final[Mapping[Kind, Callable[[Any, ProviderField], str | None]]] = {
    "string": _find_text_fault,
    "integer": _find_number_fault,
    "uuid": _find_id_fault,
    "list": _find_list_fault,
    "groups": _find_groups_fault,
}
