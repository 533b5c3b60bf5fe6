"""A graph of a hundred stages of `true`, beside a shell that clones and runs `true` as often, two at a time."""

from __future__ import annotations

import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench.caller import Caller, make_repository, newcomer
from bench.findings import Finding, in_turns, median_ratio
from bench.ground import Ground
from bench.meters import taking
from bench.start import plain

LAYERS, WIDTH = 10, 10
STAGES = LAYERS * WIDTH
ROUNDS = 3
MOST_SECONDS = 300.0
PROCESSES = ("web", "worker-interactive", "worker-ci", "relay")
# What a worker does at a time.
TOGETHER = 2

_ENDED = (
    "SELECT status, extract(epoch FROM finished_at - created_at) FROM executions"
    " WHERE id = %s AND finished_at IS NOT NULL"
)


def graph() -> dict[str, Any]:
    """Return ten layers of ten stages, each of which waits for two of the layer above it."""
    stages = [
        {
            "name": f"stage-{layer}-{place}",
            "depends_on": [f"stage-{layer - 1}-{(place + offset) % WIDTH}" for offset in (0, 1)] if layer else [],
            "steps": [{"name": "run", "run": "true"}],
        }
        for layer in range(LAYERS)
        for place in range(WIDTH)
    ]
    return {"name": "graph", "stages": stages}


def measure(ground: Ground) -> list[Finding]:
    """Run the graph and the shell's hundred clones in turns."""
    with ground.platform("graph", *PROCESSES) as ours:
        repository = make_repository(ours.folder / "repository")
        caller = newcomer(ours.base, repository)
        pipeline_id = caller.pipeline(graph())
        with psycopg.connect(plain(ours.settings.database_url), autocommit=True) as rows:
            run = partial(_run, caller, pipeline_id, rows)
            run()
            pids = (*map(ours.pid, PROCESSES), *ground.pids())
            taken = in_turns(
                ROUNDS, {"ours": partial(_timed, run, pids), "shell": partial(_clone, repository, ours.folder)}
            )
    seconds = [wall for wall, _ in taken["ours"]]
    shell = [wall for wall, _ in taken["shell"]]
    middle = sorted(seconds)[ROUNDS // 2]
    cpu = sorted(cpu for _, cpu in taken["ours"])[ROUNDS // 2]
    return [
        Finding(
            "100 stages of `true`, 202 → end", middle, "s", "git clone, bash", middle / median_ratio(seconds, shell)
        ),
        Finding("the same, CPU a stage, with the servers", 1e3 * cpu / STAGES, "ms"),
    ]


def _timed(run: Any, pids: tuple[int, ...]) -> tuple[float, float]:
    with taking(*pids) as taken:
        wall = run()
    return wall, taken.cpu


def _run(caller: Caller, pipeline_id: str, rows: psycopg.Connection[tuple[Any, ...]]) -> float:
    """Return the seconds from an execution's 202 to its end."""
    execution_id, deadline = caller.start(pipeline_id)["id"], time.monotonic() + MOST_SECONDS
    while not (ended := rows.execute(_ENDED, (execution_id,)).fetchone()):
        if time.monotonic() > deadline:
            raise RuntimeError("the graph did not end")
        time.sleep(0.05)
    status, seconds = ended
    if status != "succeeded":
        raise RuntimeError(f"the graph {status}")
    return float(seconds)


def _clone(repository: str, folder: Path) -> tuple[float, float]:
    """Return the seconds of as many clones and shells."""
    script = (
        f"seq {STAGES} | xargs -P {TOGETHER} -I@ sh -c '"
        f"git clone -q --depth=1 {repository} clone-@ && (cd clone-@ && bash -ec true) && rm -rf clone-@'"
    )
    began = time.perf_counter()
    subprocess.run(["sh", "-c", script], cwd=folder, check=True)
    return time.perf_counter() - began, 0.0
