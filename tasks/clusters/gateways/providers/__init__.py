"""Providers of clusters: one Protocol, and a file for each."""

from tasks.clusters.gateways.providers.base import (
    Order,
    Provider,
    ProviderAway,
    ProviderFailed,
    Ready,
    Working,
)
from tasks.clusters.gateways.providers.capi import CapiProvider
from tasks.clusters.gateways.providers.eks import EksProvider
from tasks.clusters.gateways.providers.local import LocalProvider

__all__ = [
    "CapiProvider",
    "EksProvider",
    "LocalProvider",
    "Order",
    "Provider",
    "ProviderAway",
    "ProviderFailed",
    "Ready",
    "Working",
]
