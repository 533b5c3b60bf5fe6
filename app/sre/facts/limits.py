"""Facts of what comes to its end: quotas that are used up, certificates that expire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from app.clusters import CERTIFICATES, EVENTS, QUOTAS, Seen
from app.kernel.clock import read_time
from app.sre.facts.base import CRITICAL, INFO, WARNING, Fact, Thing, View
from app.tenancy import read_quantity

FULL: Final = Decimal("0.9")
# Of a few things that are counted all may be there on purpose: it is a want only where one more was refused.
FEW: Final = 10
REFUSED: Final = timedelta(minutes=30)
_REFUSED: Final = re.compile(r"exceeded quota: ([a-z0-9.-]{1,253})")
_BEFORE: Final = timedelta(days=14)
_SOON: Final = timedelta(days=2)
_HASH: Final = re.compile(r"-[a-z0-9]{1,10}$")


def find_quota_facts(view: View) -> Iterator[Fact]:
    """Yield quotas by which something was refused lately, and those that are nearly used."""
    refused = _find_refusals(view)
    for quota in view.of(QUOTAS):
        full = {name: share for name, share in _shares(quota) if share >= FULL}
        refusals = refused.get(quota.key, [])
        if not full and not refusals:
            continue
        about = Thing("ResourceQuota", quota.namespace, quota.name)
        told = (
            ", ".join(f"{name} {share:.0%}" for name, share in sorted(full.items())) or "what it has left is not enough"
        )
        yield Fact(
            kind="QuotaNearlyUsed",
            about=about,
            severity=WARNING if refusals else INFO,
            message=f"{about} {'refuses more' if refusals else 'is nearly used'}: {told}",
            since=min((moment for one in refusals if (moment := _first_seen(one))), default=None),
            touches=frozenset(_maker(one) for one in refusals),
            trait="refused" if refusals else "",
            evidence={
                "hard": quota.data.get("hard"),
                "used": quota.data.get("used"),
                "refused": [one.data.get("message") for one in refusals[:5]],
            },
        )


def _shares(quota: Seen) -> Iterator[tuple[str, Decimal]]:
    used = quota.data.get("used") or {}
    for name, text in (quota.data.get("hard") or {}).items():
        hard, taken = read_quantity(text), read_quantity(used.get(name))
        if not hard or taken is None:
            continue
        is_counted = name.startswith("count/") or not re.search(r"cpu|memory|storage", name)
        if not is_counted or hard >= FEW:
            yield name, taken / hard


def _find_refusals(view: View) -> dict[tuple[str, str], list[Seen]]:
    found: dict[tuple[str, str], list[Seen]] = {}
    for event in view.of(EVENTS):
        named = _REFUSED.search(event.data.get("message") or "")
        if named and event.data.get("reason") == "FailedCreate" and view.is_recent(_last_seen(event), REFUSED):
            found.setdefault((event.namespace, named[1]), []).append(event)
    return found


def _first_seen(event: Seen) -> datetime | None:
    return event.created_at or _last_seen(event)


def _last_seen(event: Seen) -> datetime | None:
    return read_time(event.data.get("last_seen")) or event.created_at


def _maker(event: Seen) -> Thing:
    kind, name = event.data.get("object_kind") or "", event.data.get("object_name") or ""
    if kind == "ReplicaSet":
        return Thing("Deployment", event.namespace, _HASH.sub("", name))
    return Thing(kind, event.namespace, name)


def find_certificate_facts(view: View) -> Iterator[Fact]:
    """Yield certificates that expire soon: within two weeks, or, of those that do not live for long, within a fifth of
    their life, by when whoever issues them should have renewed them."""
    for one in view.of(CERTIFICATES):
        ends, began = read_time(one.data.get("not_after")), read_time(one.data.get("not_before"))
        if ends is None:
            continue
        left, before = ends - view.now, _BEFORE if began is None else min(_BEFORE, (ends - began) / 5)
        if left > before:
            continue
        about = Thing("Certificate", one.namespace, one.name)
        is_over = left <= timedelta(0)
        why = f": {one.data['message']}" if one.status != "Ready" and one.data.get("message") else ""
        yield Fact(
            kind="CertificateNearExpiry",
            about=about,
            severity=CRITICAL if is_over or left < min(_SOON, before / 2) else WARNING,
            message=f"{about} {'is expired since' if is_over else 'expires at'} {ends:%Y-%m-%d %H:%M} UTC{why}",
            since=ends - before,
            trait=one.data.get("issuer") or "",
            evidence={name: one.data.get(name) for name in ("not_before", "not_after", "renewal", "issuer", "message")},
        )
