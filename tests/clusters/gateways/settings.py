"""What these tests allow a cluster to cost."""

from __future__ import annotations

from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import Limits

LOOPBACK = AddressRules(allow_loopback=True)
SHORT = Limits(connect=1.0, first_byte=0.5, whole=1.5, max_bytes=1_000_000, max_line=10_000, silence=0.7)
