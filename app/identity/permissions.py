"""What each role may do: the one table from built-in roles to permissions (`area:verb`).

Roles of one family contain each other, such as owner ⊃ admin ⊃ member ⊃ viewer; each row names what a role holds beyond
the role below it. `docs/permissions.md` shows the whole table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from app.kernel.principal import Principal

USER: Final = "user"
ADMIN: Final = "admin"

OWNER: Final = "owner"
MEMBER: Final = "member"
VIEWER: Final = "viewer"
ORGANIZATION_ROLES: Final = (OWNER, ADMIN, MEMBER, VIEWER)

PLATFORM: Final = "platform"
ORGANIZATION: Final = "organization"
WORKSPACE: Final = "workspace"
CLUSTER: Final = "cluster"
NAMESPACE: Final = "namespace"


@dataclass(frozen=True, slots=True)
class BuiltInRole:
    """A role that is there from the start: where it is given, and what it holds there and in all that lies in there."""

    name: str
    scopes: tuple[str, ...]
    description: str
    permissions: frozenset[str]
    source: str

    @property
    def id(self) -> UUID:
        """The id of its row, the same in every installation."""
        return uuid5(NAMESPACE_URL, f"urn:headrace:role:{self.name}")


def _spread(*areas: str) -> frozenset[str]:
    """Return the permissions of texts such as `jobs:read,cancel`."""
    pairs = (text.partition(":") for text in areas)
    return frozenset(f"{area}:{verb}" for area, _, verbs in pairs for verb in verbs.split(","))


def _pile(*rows: frozenset[str]) -> tuple[frozenset[str], ...]:
    """Return what each role of a family holds: its own row and all before it."""
    held: frozenset[str] = frozenset()
    piled = []
    for row in rows:
        held |= row
        piled.append(held)
    return tuple(piled)


ACCOUNT_PERMISSIONS: Final = _spread("account:read,write", "keys:read,write", "organizations:create")
"""Held by everybody over their own account."""

PLATFORM_PERMISSIONS: Final = _spread("platform:administer", "users:administer")
"""Held by platform administrators alone, whatever their organizations."""

NOT_FOR_KEYS: Final = frozenset({"account:write", "keys:write"})
"""What no key can be given: it could make itself others, or take the account over."""

_WORK_READ = _spread(
    *("workspaces:read", "projects:read", "pipelines:read", "executions:read", "artifacts:read", "variables:read"),
    *("secrets:read", "runners:read", "jobs:read", "members:read", "metrics:read", "alerts:read"),
)
_WORK = _spread(
    *("workspaces:write", "projects:write", "pipelines:write", "executions:run,cancel,retry,approve"),
    *("variables:write", "jobs:cancel,retry", "alerts:acknowledge"),
)
_WORK_ADMIN = _spread("members:write", "secrets:write", "runners:write", "artifacts:delete", "alerts:write")

_VIEWER, _MEMBER, _ADMIN, _OWNER = _pile(
    _WORK_READ
    | _spread("organizations:read", "roles:read", "clusters:read", "namespaces:read", "sre:read", "rooms:read")
    | _spread("messages:read", "notifications:read"),
    _WORK | _spread("sre:scan,write", "metrics:write", "rooms:write,join,invite", "messages:write"),
    _WORK_ADMIN
    | _spread("organizations:write", "roles:write", "keys:read,write", "workspaces:delete", "projects:delete")
    | _spread("clusters:write,delete,apply", "namespaces:write,delete", "sre:apply", "notifications:write")
    | _spread("webhooks:read,write", "billing:read,write"),
    _spread("organizations:delete", "audit:read"),
)
_WORKSPACE_VIEWER, _WORKSPACE_EDITOR, _WORKSPACE_ADMIN = _pile(_WORK_READ, _WORK, _WORK_ADMIN)
_CLUSTER_VIEWER, _CLUSTER_ADMIN = _pile(
    _spread("clusters:read", "namespaces:read", "metrics:read", "alerts:read", "sre:read", "jobs:read"),
    _spread("clusters:write,delete,apply", "namespaces:write,delete", "metrics:write", "alerts:write,acknowledge")
    | _spread("jobs:cancel,retry"),
)
_NAMESPACE_VIEWER, _NAMESPACE_EDITOR, _NAMESPACE_ADMIN = _pile(
    _spread("namespaces:read", "metrics:read", "alerts:read", "jobs:read"),
    _spread("namespaces:write", "alerts:acknowledge"),
    _spread("namespaces:delete", "members:read,write", "alerts:write", "jobs:cancel,retry"),
)
_SRE_ENGINEER = _spread(
    *("clusters:read", "namespaces:read", "metrics:read,write", "alerts:read,write,acknowledge"),
    *("sre:read,scan,write,apply", "jobs:read,cancel,retry"),
)
_DEVELOPER = _spread(
    *("workspaces:read", "pipelines:read,write", "executions:read,run,cancel,retry", "artifacts:read"),
    *("variables:read,write", "secrets:read", "jobs:read,cancel,retry", "metrics:read", "clusters:read"),
)
_SERVICE_ACCOUNT = _spread(
    *("workspaces:read", "pipelines:read", "executions:read,run", "artifacts:read", "variables:read", "secrets:read"),
    *("jobs:read", "clusters:read,write", "metrics:read,write"),
)

CLIENT_PERMISSIONS: Final = _spread(
    *("clients:read,write", "users:read,write", "rooms:read,write,join,invite", "messages:read,write"),
    *("notifications:read,write", "webhooks:read,write", "jobs:read,cancel,retry"),
)
"""Held by the key of a client application over the application, and with it over its users and all else of it."""

CLIENT_USER_PERMISSIONS: Final = {
    "read_messages": _spread("rooms:read", "messages:read"),
    "send_messages": _spread("messages:write"),
    "join_rooms": _spread("rooms:join"),
    "manage_rooms": _spread("rooms:write"),
    "invite_users": _spread("rooms:invite"),
}
"""What the user of a client application may be given, by the names that applications use; held over the application."""

STANDARD: Final = "standard"
CLIENT_PLANS: Final = {"free": 1_000, STANDARD: 10_000, "pro": 100_000, "enterprise": None}
"""How many users a client application may have, by its plan."""

CLIENT_USER_ACCOUNT: Final = _spread("account:read", "users:read,write")
"""Held by every user of a client application over themselves."""

PERMISSIONS: Final = _OWNER | ACCOUNT_PERMISSIONS | PLATFORM_PERMISSIONS | CLIENT_PERMISSIONS
"""Every permission there is; a route that asks for another one is a mistake."""

_ALL = "All systems"
_PLACES_OF_WORK = (ORGANIZATION, WORKSPACE)

BUILT_IN: Final = {
    role.name: role
    for role in (
        BuiltInRole("platform-admin", (PLATFORM,), "Everything, everywhere", PERMISSIONS, _ALL),
        BuiltInRole("platform-user", (PLATFORM,), "The own account", ACCOUNT_PERMISSIONS, _ALL),
        BuiltInRole("organization-owner", (ORGANIZATION,), "Owns an organization", _OWNER, "Hexabase KaaS"),
        BuiltInRole("organization-admin", (ORGANIZATION,), "Runs an organization", _ADMIN, "Hexabase KaaS"),
        BuiltInRole("organization-member", (ORGANIZATION,), "Works in an organization", _MEMBER, "Hexabase KaaS"),
        BuiltInRole("organization-viewer", (ORGANIZATION,), "Looks on", _VIEWER, "RustCI (Viewer)"),
        BuiltInRole("workspace-admin", (WORKSPACE,), "Runs a workspace", _WORKSPACE_ADMIN, "Hexabase KaaS"),
        BuiltInRole("workspace-editor", (WORKSPACE,), "Works in a workspace", _WORKSPACE_EDITOR, "Hexabase KaaS"),
        BuiltInRole("workspace-viewer", (WORKSPACE,), "Looks on in a workspace", _WORKSPACE_VIEWER, "Hexabase KaaS"),
        BuiltInRole("cluster-admin", (CLUSTER,), "Runs a cluster", _CLUSTER_ADMIN, "KubeNexus"),
        BuiltInRole("cluster-viewer", (CLUSTER,), "Looks at a cluster", _CLUSTER_VIEWER, "KubeNexus"),
        BuiltInRole("namespace-admin", (NAMESPACE,), "Runs a namespace", _NAMESPACE_ADMIN, "KubeNexus"),
        BuiltInRole("namespace-editor", (NAMESPACE,), "Changes a namespace", _NAMESPACE_EDITOR, "KubeNexus"),
        BuiltInRole("namespace-viewer", (NAMESPACE,), "Looks at a namespace", _NAMESPACE_VIEWER, "KubeNexus"),
        BuiltInRole("sre-engineer", (ORGANIZATION, CLUSTER), "Keeps clusters well", _SRE_ENGINEER, "KubeNexus"),
        BuiltInRole("developer", _PLACES_OF_WORK, "Makes and runs pipelines", _DEVELOPER, "RustCI"),
        BuiltInRole("service-account", _PLACES_OF_WORK, "Runs pipelines by itself", _SERVICE_ACCOUNT, "RustCI"),
    )
}

PERMISSIONS_OF_ROLE: Final = {role: BUILT_IN[f"organization-{role}"].permissions for role in ORGANIZATION_ROLES}
"""What a member of an organization holds in it, by the role of the membership."""

GRANTABLE: Final = _OWNER
"""What own roles may consist of."""

OWN_ROLE_SCOPES: Final = (ORGANIZATION, WORKSPACE, CLUSTER, NAMESPACE)
"""Where own roles may be given."""


def permissions_of(principal: Principal) -> frozenset[str]:
    """Return what a caller may do in at least one place."""
    held = PERMISSIONS if principal.is_admin else frozenset().union(*principal.grants.values())
    return held if principal.ceiling is None else held & principal.ceiling
