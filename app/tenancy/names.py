"""Names on clusters: DNS labels of at most 63 characters, made from what they are for and a part of its id, so that no
two workspaces wish for the same one."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

LONGEST: Final = 63
DNS_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MANAGER: Final = "headrace"
PREFIX: Final = "tenancy.headrace"
WORKSPACE_LABEL: Final = f"{PREFIX}/workspace"
PROJECT_LABEL: Final = f"{PREFIX}/project"
PROVISIONING_LABEL: Final = f"{PREFIX}/provisioning"
PURPOSE_LABEL: Final = f"{PREFIX}/purpose"
REPLICAS_NOTE: Final = f"{PREFIX}/replicas"

CONTROL_PLANE: Final = "vcluster"
ACCESS_INSIDE: Final = "headrace-access"

_LABEL_KEY: Final = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_OURS: Final = (PREFIX, "kubernetes.io", "k8s.io")


def namespace_name(prefix: str, slug: str, owner_id: UUID) -> str:
    """Return a namespace's name: `ws-web-shop-0f3a…`. The last twelve digits of an id are random."""
    return f"{prefix}-{slug[:30].strip('-')}-{owner_id.hex[-12:]}"


def access_name(namespace: str) -> str:
    """Return the name of the namespace that holds the accounts of a workspace's members. They are not in the
    workspace's own: whoever may edit there may act as its accounts."""
    return f"{namespace}-access"


def account_name(user_id: UUID) -> str:
    """Return the name of a member's service account."""
    return f"member-{user_id.hex}"


def find_label_fault(key: str, value: object) -> str | None:
    """Return why users cannot set this label, or None."""
    if not _LABEL_KEY.fullmatch(key):
        return f"{key[:80]!r} is no name of a label"
    domain = key.rpartition("/")[0]
    if any(domain == one or domain.endswith(f".{one}") for one in _OURS):
        return f"labels of {domain} are not for users"
    if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
        return f"the value of {key} must have at most 63 letters, digits, dashes, dots and underscores"
    return None
