"""What opens a cluster, from a request to the vault and back. It never goes back to a client.

The session comes first; nothing here commits.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clusters.access import Access, AccessRules, find_access_faults
from app.clusters.errors import ClusterGone
from app.clusters.kubeconfig import KubeconfigInvalid, read_kubeconfig
from app.clusters.models import Cluster, vault_context
from app.kernel.clock import utc_now
from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Invalid

WHERE: Final = ("server", "ca", "server_name", "verify")
WHO: Final = ("token", "certificate", "key")
PARTS: Final = (*WHERE, *WHO)
ACCESS_FIELDS: Final = ("kubeconfig", "context", *PARTS)

_BASE64: Final = re.compile(r"[A-Za-z0-9+/=\s]+")


def take_access(fields: dict[str, Any], rules: AccessRules, stored: Access | None = None) -> Access | None:
    """Remove from `fields` what says how a cluster is opened, and return it, checked; None where nothing says so.

    With what is `stored`, parts that are left out stay. Whoever leads a cluster to another server brings other
    credentials: those that are stored were given to this one. Raises Invalid with a fault for each field.
    """
    given = {name: fields.pop(name) for name in ACCESS_FIELDS if fields.get(name) is not None}
    if not given:
        return None
    if "kubeconfig" in given:
        return _read_text(given, rules)
    if "context" in given:
        raise Invalid(errors=[FieldError("context", "goes with a kubeconfig")])
    access = _merge(stored, given)
    if faults := find_access_faults(access, rules, utc_now()):
        raise Invalid(errors=faults)
    return access


def _read_text(given: Mapping[str, Any], rules: AccessRules) -> Access:
    if others := sorted(given.keys() & set(PARTS)):
        raise Invalid(errors=[FieldError(name, "is given beside a kubeconfig; give one of them") for name in others])
    try:
        text = _plain(given["kubeconfig"])
        return read_kubeconfig(text, rules, now=utc_now(), context=given.get("context"))
    except KubeconfigInvalid as error:
        faults = [FieldError(".".join(filter(None, ("kubeconfig", f.field))), f.message) for f in error.errors]
        raise KubeconfigInvalid(errors=faults) from None


def _plain(text: str) -> str | bytes:
    """Return a kubeconfig that may be in base64: one in YAML or JSON holds a colon, which base64 does not."""
    if not _BASE64.fullmatch(text):
        return text
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        return text


def _merge(stored: Access | None, given: dict[str, Any]) -> Access:
    if stored is None:
        if "server" not in given:
            raise Invalid(errors=[FieldError("server", "is missing: give it, or a kubeconfig")])
        return Access(**given)
    if not given.keys() & set(WHO) and any(given[name] != getattr(stored, name) for name in given):
        raise Invalid(errors=[FieldError("token", "is missing: another server takes credentials of its own")])
    kept = {name: value for name, value in asdict(stored).items() if name in WHERE or not given.keys() & set(WHO)}
    return replace(Access(stored.server), **{**kept, **given})


def seal_access(vault: Vault, cluster: Cluster, access: Access) -> None:
    """Keep what opens a cluster, instead of what did before."""
    cluster.server = access.server
    cluster.credentials = vault.encrypt(access.to_json(), vault_context(cluster.id))


def reveal_access(session: Session, vault: Vault, cluster_id: UUID) -> Access:
    """Return what opens a cluster; raises ClusterGone, or Undecryptable."""
    stored = session.execute(select(Cluster.credentials).where(Cluster.id == cluster_id)).scalar_one_or_none()
    if stored is None:
        raise ClusterGone
    return open_access(vault, cluster_id, stored)


def open_access(vault: Vault, cluster_id: UUID, stored: bytes) -> Access:
    """Return what was sealed for a cluster; raises Undecryptable."""
    return Access.from_json(vault.decrypt(stored, vault_context(cluster_id)))
