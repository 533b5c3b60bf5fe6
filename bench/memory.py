"""Memory of every process of the Procfile at rest, beside bare parts of the same kind."""

from __future__ import annotations

import time

from bench.findings import Finding
from bench.ground import PROCFILE, Ground, Programs
from bench.meters import family, proportional_bytes, resident_bytes
from bench.targets import GUNICORN, bare_programs
from bench.textbook import WORKER

MEGABYTE = 1e6
SETTLE = 3.0
BESIDE = {"web": ("web", "gunicorn with Flask alone"), "worker": ("worker", "Celery worker alone")}


def measure(ground: Ground) -> list[Finding]:
    """Start everything, let it settle, and look."""
    processes = [name for name in PROCFILE if name != "release"]
    commands = {"web": f"{GUNICORN} bench.bare.flask_app:app", "worker": WORKER}
    with ground.platform("memory", *processes) as ours, bare_programs(ground, "memory_bare", **commands) as bare:
        time.sleep(SETTLE)
        found = [_finding(name, ours, bare) for name in processes]
        names = zip(("PostgreSQL", "Redis"), ground.pids(), strict=True)
        found += [Finding(f"resident at rest, {name}", _resident(pid), "MB") for name, pid in names]
        everyone = [one.pid for pid in map(ours.pid, processes) for one in family(pid)]
        found.append(Finding("all of ours, shared pages once", proportional_bytes(everyone) / MEGABYTE, "MB"))
    return found


def _finding(name: str, ours: Programs, bare: Programs) -> Finding:
    pid = ours.pid(name)
    what = f"resident at rest, {name} ({len(family(pid))})"
    part, beside = BESIDE.get(name.partition("-")[0], ("", ""))
    return Finding(what, _resident(pid), "MB", beside, _resident(bare.pid(part)) if part else None)


def _resident(pid: int) -> float:
    return resident_bytes(process.pid for process in family(pid)) / MEGABYTE
