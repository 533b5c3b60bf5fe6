"""The room's blueprint, and what its routes share."""

from __future__ import annotations

from app.clusters.access import AccessRules
from app.http import Blueprint, platform
from app.kernel.addresses import AddressRules

blueprint = Blueprint("clusters", description="Kubernetes clusters: registered, checked, looked into and written to")


def access_rules() -> AccessRules:
    """Return where this installation lets clusters be."""
    addresses = AddressRules(platform().allow_private_clusters, platform().allow_loopback_clusters)
    return AccessRules(addresses, allow_unverified=platform().allow_unverified_clusters)
