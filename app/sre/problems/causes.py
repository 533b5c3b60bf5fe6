"""What may be the cause of what: by kinds, by the things that both touch, and by the time between them. No IO.

A strength from 0 to 1 says how much speaks for it. The figures order explanations among each other; none was fitted to
data, and a weaker link never wins over a stronger one that is there too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from app.sre.problems.signals import FACT, Signal

LEAST: Final = 0.25
# What is watched from outside is often seen before what the cluster says of itself is listed.
LEAD: Final = timedelta(minutes=10)
# Where little else speaks for it, the order of times has to.
SHORT_LEAD: Final = timedelta(minutes=4)
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
    within: timedelta | None
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


_LONG: Final = timedelta(hours=6)
_HOUR: Final = timedelta(hours=1)
_SOON: Final = timedelta(minutes=15)
_AT_ONCE: Final = timedelta(minutes=6)
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
        *(_kinds("CertificateNearExpiry"), _kinds("CertificateNearExpiry"), _shares_trait, 0.6, timedelta(days=2)),
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
    _Rule(
        _SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _shares_workload, 0.5, timedelta(minutes=30), "it is the same workload"
    ),
    _Rule(_SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _shares_trait, 0.45, _AT_ONCE, "it is the same rule"),
    _Rule(
        *(_SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _shares_namespace, 0.3, _AT_ONCE),
        "it was seen in the same namespace at that time",
    ),
    _Rule(_SEEN_FROM_OUTSIDE, _SEEN_FROM_OUTSIDE, _is_about, 0.5, timedelta(minutes=30), "it is the same thing"),
)


def _file(rules: Sequence[_Rule]) -> dict[str, list[_Rule]]:
    found: dict[str, list[_Rule]] = {}
    for rule in rules:
        for kind in rule.causes:
            found.setdefault(kind, []).append(rule)
    return found


_RULES_OF: Final = _file(RULES)


def find_link(cause: Signal, effect: Signal) -> Link | None:
    """Return the strongest reason why one signal explains another; None where nothing speaks for it."""
    if cause.order >= effect.order:
        return None
    rules = _RULES_OF.get(cause.kind if cause.source == FACT else OUTSIDE, ())
    found = (_weigh(rule, cause, effect) for rule in rules)
    return max((link for link in found if link is not None and link.strength >= LEAST), default=None)


def _weigh(rule: _Rule, cause: Signal, effect: Signal) -> Link | None:
    if rule.effects is not None and (effect.kind if effect.source == FACT else OUTSIDE) not in rule.effects:
        return None
    share = _in_time(cause, effect, rule.within, LEAD if rule.strength >= _WEAK else SHORT_LEAD)
    if share is None or not rule.relation(cause, effect):
        return None
    return Link(round(rule.strength * share, 3), rule.reason)


def _in_time(cause: Signal, effect: Signal, within: timedelta | None, lead: timedelta) -> float | None:
    """Return how well the times of both go together, from 1 down; None where they do not."""
    if cause.ended_at is not None and effect.start > cause.ended_at + LEAD:
        return None
    gap = effect.start - cause.start
    if gap < timedelta(0):
        # What was there for long is of something else, unless both are one thing: memory runs out for hours first.
        return 0.85 if -gap <= lead else (0.6 if within is None and -gap <= _LONG else None)
    if within is None:
        return 1.0
    return 1.0 - 0.3 * (gap / within) if gap <= within else None
