"""What may be the cause of what: by kinds, by the things that both touch, and by the time between them. No IO.

Times are in seconds. A strength from 0 to 1 says how much speaks for it. The figures order explanations among each
other; none was fitted to data, and a weaker link never wins over a stronger one that is there too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from app.sre.problems.signals import FACT, Signal

LEAST: Final = 0.25
# What is watched from outside is often seen before what the cluster says of itself is listed.
LEAD: Final = 600.0
# Where little else speaks for it, the order of times has to.
SHORT_LEAD: Final = 240.0
_WEAK: Final = 0.5
# Also inside of names such as TLSHandshakeErrors, but not of words such as lossless.
_TLS: Final = re.compile(r"TLS|SSL|(?i:x509|certificate|handshake|\btls\b|\bssl\b)")
_WORKLOAD_KINDS: Final = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod", "Service"}
)

Relation = Callable[[Signal, Signal], bool]


class Link(NamedTuple):
    """Why one signal explains another, and how much speaks for it."""

    strength: float
    reason: str


class _Rule(NamedTuple):
    causes: frozenset[str]
    effects: frozenset[str] | None
    relation: Relation
    strength: float
    within: float | None
    reason: str


def _shares_workload(cause: Signal, effect: Signal) -> bool:
    return any(thing.kind in _WORKLOAD_KINDS for thing in cause.places & effect.places)


def _is_about(cause: Signal, effect: Signal) -> bool:
    return cause.about in effect.places


def _reaches(cause: Signal, effect: Signal) -> bool:
    return effect.about in cause.places


def _shares_namespace(cause: Signal, effect: Signal) -> bool:
    return bool(cause.namespaces & effect.namespaces)


def _anywhere(_: Signal, __: Signal) -> bool:
    return True


def _is_placeless(_: Signal, effect: Signal) -> bool:
    return not effect.places


def _lacks_nodes(_: Signal, effect: Signal) -> bool:
    return effect.trait in ("node", "cpu", "memory", "pods")


def _shares_trait(cause: Signal, effect: Signal) -> bool:
    return bool(cause.trait) and cause.trait == effect.trait


def _shares_registry(cause: Signal, effect: Signal) -> bool:
    return cause.trait == effect.trait and ":" in cause.trait


def _speaks_of_tls(cause: Signal, effect: Signal) -> bool:
    return _shares_namespace(cause, effect) and bool(_TLS.search(f"{effect.kind} {effect.message}"))


def _kinds(*names: str) -> frozenset[str]:
    return frozenset(names)


_LONG: Final = 6 * 3600.0
_HOUR: Final = 3600.0
_SOON: Final = 900.0
_AT_ONCE: Final = 360.0
_SHUT: Final = _kinds("ImagePullBackOff", "CannotStart", "OOMKilled", "CrashLoopBackOff", "PodPending")
_STRAINED: Final = _kinds("HPAAtLimit", "CPUThrottling")
OUTSIDE: Final = "*"
"""Alerts and anomalies, whatever their names."""
_SEEN_FROM_OUTSIDE: Final = _kinds(OUTSIDE)

RULES: Final[tuple[_Rule, ...]] = (
    _Rule(_kinds("ClusterUnreachable"), None, _anywhere, 0.7, _HOUR, "the cluster does not answer"),
    _Rule(_kinds("NodeNotReady", "NodePressure"), None, _is_about, 0.9, None, "it lies on that node"),
    _Rule(
        *(_kinds("NodeNotReady", "NodePressure"), _kinds("PodPending"), _lacks_nodes, 0.75, _HOUR),
        "what that node takes no more has to go elsewhere",
    ),
    _Rule(
        *(_kinds("NodeNotReady", "NodePressure", "VolumeNearlyFull"), _SEEN_FROM_OUTSIDE, _is_placeless, 0.3, _SOON),
        "it began on the same cluster at that time",
    ),
    _Rule(_kinds("NodeNotReady"), _kinds("NodeNotReady"), _anywhere, 0.6, _AT_ONCE, "both were lost at once"),
    _Rule(_kinds("VolumeNearlyFull"), None, _is_about, 0.9, None, "it uses that volume"),
    _Rule(_kinds("QuotaNearlyUsed"), None, _reaches, 0.9, None, "its pods were refused by that quota"),
    _Rule(
        *(_kinds("QuotaNearlyUsed"), _kinds("RolloutStuck", "FailedJob"), _shares_namespace, 0.5, _HOUR),
        "it lies in the namespace of that quota",
    ),
    _Rule(_kinds("CertificateNearExpiry"), _SEEN_FROM_OUTSIDE, _speaks_of_tls, 0.7, None, "it speaks of certificates"),
    _Rule(
        *(_kinds("CertificateNearExpiry"), _kinds("CertificateNearExpiry"), _shares_trait, 0.6, 2 * 86_400.0),
        "both come from one issuer",
    ),
    _Rule(_SHUT, None, _shares_workload, 0.85, None, "it is of the same workload"),
    _Rule(
        _STRAINED | _kinds("RolloutStuck", "FailedJob"), None, _shares_workload, 0.75, None, "it is the same workload"
    ),
    _Rule(
        _kinds("ImagePullBackOff"), _kinds("ImagePullBackOff"), _shares_registry, 0.6, _SOON, "it is the same registry"
    ),
    _Rule(_kinds("PodPending"), _kinds("PodPending"), _shares_trait, 0.5, _SOON, "both want for the same"),
    _Rule(
        *(_kinds("CrashLoopBackOff", "OOMKilled"), _kinds("CrashLoopBackOff", "FailedJob"), _shares_namespace),
        *(0.4, _SOON, "it went down next to it"),
    ),
    _Rule(
        *(_SHUT | _STRAINED, _SEEN_FROM_OUTSIDE, _shares_namespace, 0.35, _SOON),
        "it was seen in the same namespace at that time",
    ),
    _Rule(_SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _shares_workload, 0.5, 1800.0, "it is the same workload"),
    _Rule(_SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _shares_trait, 0.45, _AT_ONCE, "it is the same rule"),
    _Rule(
        *(_SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _shares_namespace, 0.3, _AT_ONCE),
        "it was seen in the same namespace at that time",
    ),
    _Rule(_SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _is_about, 0.5, 1800.0, "it is the same thing"),
)


@cache
def _rules_between(cause: str, effect: str) -> tuple[_Rule, ...]:
    """Return the rules from one kind to another, the strongest first."""
    found = [one for one in RULES if cause in one.causes and (one.effects is None or effect in one.effects)]
    return tuple(sorted(found, key=lambda one: -one.strength))


def _named(signal: Signal) -> str:
    return signal.kind if signal.source == FACT else OUTSIDE


def find_link(cause: Signal, effect: Signal, least: float = LEAST) -> Link | None:
    """Return the strongest reason why one signal explains another that comes after it in their order; None where
    nothing of `least` speaks for it. It is asked of all pairs that there are, so the cheapest comes first."""
    if effect.began > cause.until + LEAD:
        return None
    found, gap = None, effect.began - cause.began
    for rule in _rules_between(_named(cause), _named(effect)):
        if rule.strength < least:
            break
        strength = round(rule.strength * _share_of(rule, gap), 3)
        if strength >= least and rule.relation(cause, effect):
            found = max(found or Link(0.0, ""), Link(strength, rule.reason))
            least = found.strength
    return found


def _share_of(rule: _Rule, gap: float) -> float:
    """Return how well the times of a cause and an effect go together, from 1 down to 0, where they do not."""
    if gap < 0:
        # What was there for long is of something else, unless both are one thing: memory runs out for hours first.
        if -gap <= (LEAD if rule.strength >= _WEAK else SHORT_LEAD):
            return 0.85
        return 0.6 if rule.within is None and -gap <= _LONG else 0.0
    if rule.within is None:
        return 1.0
    return 1.0 - 0.3 * (gap / rule.within) if gap <= rule.within else 0.0
