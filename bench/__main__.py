"""`python -m bench [name…]`: runs the measurements, all of them unless named, and prints one table."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable

from bench import (
    accept,
    cancel,
    chat,
    clusters,
    graph,
    guard,
    instructions,
    job,
    listeners,
    lists,
    live,
    logins,
    logs,
    mails,
    memory,
    metrics,
    provision,
    queueing,
    start,
    status,
    step,
    webhooks,
)
from bench.findings import Finding, table
from bench.ground import Ground
from launcher.supervisor import Stopped, StopSignals

BENCHES: dict[str, Callable[[Ground], list[Finding]]] = {
    "step": step.measure,
    "logs": logs.measure,
    "live": live.measure,
    "graph": graph.measure,
    "queue": queueing.measure,
    "accept": accept.measure,
    "instructions": instructions.measure,
    "status": status.measure,
    "start": start.measure,
    "job": job.measure,
    "cancel": cancel.measure,
    "streams": listeners.measure,
    "chat": chat.measure,
    "lists": lists.measure,
    "clusters": clusters.measure,
    "guard": guard.measure,
    "logins": logins.measure,
    "memory": memory.measure,
    "metrics": metrics.measure,
    "provision": provision.measure,
    "webhooks": webhooks.measure,
    "mails": mails.measure,
}


def main() -> int:
    """Run what was asked for; returns 1 when a measurement broke, whether or not the goals were met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHES)}")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := set(names) - set(BENCHES):
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}")
    StopSignals().install()
    try:
        with Ground.opened() as ground:
            findings, broken = run(ground, names)
    except Stopped:
        return 130
    print(f"\n{table(findings)}\n")
    return 1 if broken else 0


def run(ground: Ground, names: list[str]) -> tuple[list[Finding], int]:
    """Return all findings, and how many measurements broke."""
    findings, broken = list[Finding](), 0
    for name in names:
        began, load = time.monotonic(), os.getloadavg()[0]
        try:
            findings += BENCHES[name](ground)
        except Exception:  # noqa: BLE001 - the others are worth having all the same
            traceback.print_exc()
            broken += 1
        took = time.monotonic() - began
        print(f"{name}: {took:.0f} s, load {load:.1f} before, {os.getloadavg()[0]:.1f} after", flush=True)
    return findings, broken


if __name__ == "__main__":
    sys.exit(main())
