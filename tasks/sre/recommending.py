"""Finding what should be done about a cluster, workload by workload, and seeing what came of what was done."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.clusters import ClusterGone, Seen, read_expiry, reveal_access
from app.jobs import Run
from app.kernel.crypto import Undecryptable
from app.kernel.errors import Refusal
from app.sre import (
    HISTORY,
    PRIORITIES,
    Finding,
    Grounds,
    Subject,
    Workload,
    find_all,
    find_certificate,
    keep_findings,
    measure_effect,
    measure_samples,
    read_applied,
    read_grounds,
    read_samples,
    record_effect,
    renew_command,
)
from tasks.tools import Tools

log = logging.getLogger(__name__)

UNKNOWN: Final = "unknown"
# Each is a row, and an event for everybody who listens.
MOST: Final = 2_000


def recommend(run: Run, cluster_id: UUID, tools: Tools) -> dict[str, Any]:
    """Find and keep what should be done about a cluster; returns how much is new, or what is not known; raises
    ClusterGone."""
    with run.reading() as session:
        grounds = read_grounds(session, cluster_id, HISTORY)
    if grounds is None:
        raise ClusterGone
    if grounds.missing is not None:
        return {"skipped": grounds.missing}
    unread: list[Workload] = []
    found = list(_find(run, grounds, unread))
    found += _find_certificates(run, grounds, tools)
    if len(found) > MOST or unread:
        found, grounds = sorted(found, key=_press)[:MOST], replace(grounds, is_whole=False)
    with run.adding() as session:
        return keep_findings(session, grounds, found) | {"workloads": len(grounds.workloads)}


def _press(finding: Finding) -> int:
    return PRIORITIES.index(finding.priority)


def _find(run: Run, grounds: Grounds, unread: list[Workload]) -> Iterator[Finding]:
    """Yield what should be done about workloads; one whose samples are too many keeps no other from being looked at."""
    total, now = len(grounds.workloads), grounds.now.timestamp()
    for done, workload in enumerate(grounds.workloads):
        run.progress(100 * done / total, phase="looking", current=done, total=total)
        try:
            with run.reading() as session:
                uses = measure_samples(read_samples(session, grounds, workload.key, now - HISTORY))
        except Refusal as error:
            log.warning("a workload cannot be measured", extra={"workload": workload.key, "why": str(error)[:500]})
            unread.append(workload)
            continue
        yield from find_all(workload, uses, now)


def _find_certificates(run: Run, grounds: Grounds, tools: Tools) -> Iterator[Finding]:
    """Yield the certificates that end soon: those of cert-manager, and the one by which the platform gets in."""
    told = ((_subject_of(one), _moment(one.data.get("not_after")), one) for one in grounds.certificates)
    for about, ends, seen in told:
        if ends is not None:
            said = {"issuer": seen.data.get("issuer"), "status": seen.status}
            found = find_certificate(about, ends, grounds.now, renew_command(about.namespace, about.name), **said)
            yield from [found] if found else ()
    own = _find_own_certificate(run, grounds, tools)
    if own is not None:
        yield own


def _subject_of(certificate: Seen) -> Subject:
    return Subject("Certificate", certificate.namespace, certificate.name)


def _moment(said: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def _find_own_certificate(run: Run, grounds: Grounds, tools: Tools) -> Finding | None:
    try:
        with run.reading() as session:
            access = reveal_access(session, tools.vault, grounds.cluster_id)
    except (ClusterGone, Undecryptable):
        return None
    ends = read_expiry(access.certificate) if access.certificate else None
    if ends is None:
        return None
    address = f"{tools.public_url}/api/v1/clusters/{grounds.cluster_id}"
    words = ["curl", "--request", "PATCH", address, "--json", '{"kubeconfig": "…"}']
    return find_certificate(Subject("Cluster", "", grounds.cluster_name), ends, grounds.now, shlex.join(words))


def measure(run: Run, apply_id: UUID) -> dict[str, Any]:
    """See what came of a recommendation that was applied, and write it down; raises ApplyGone."""
    with run.reading() as session:
        asked, about = read_applied(session, apply_id)
        grounds = read_grounds(session, asked.cluster_id, HISTORY)
    applied = (asked.outcome or {}).get("facts") or {}
    effect: dict[str, Any] = {"verdict": UNKNOWN, "reason": "the cluster is gone"}
    if grounds is not None and grounds.missing is not None:
        effect["reason"] = grounds.missing
    elif grounds is not None and asked.finished_at is not None:
        effect = _measure(run, grounds, about, applied, asked.finished_at.timestamp())
    effect["expected"] = asked.expected_effect
    with run.adding() as session:
        record_effect(session, apply_id, effect)
    return effect


def _measure(run: Run, grounds: Grounds, about: Subject, applied: dict[str, Any], since: float) -> dict[str, Any]:
    workload = next((one for one in grounds.workloads if _is_of(one, about)), None)
    if workload is None:
        return measure_effect(None, about.container, applied, ())
    with run.reading() as session:
        uses = measure_samples(read_samples(session, grounds, workload.key, since))
    return measure_effect(workload, about.container, applied, uses.get(about.container, ()))


def _is_of(workload: Workload, about: Subject) -> bool:
    """A workload may be scaled by what it is about."""
    if about.kind == "HorizontalPodAutoscaler":
        scaler = workload.autoscaler
        return scaler is not None and (workload.namespace, scaler.name) == (about.namespace, about.name)
    return workload.key == (about.kind, about.namespace, about.name)
