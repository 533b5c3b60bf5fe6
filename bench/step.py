"""Starting a step in each sandbox, beside `bash -ec true` with pipes."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.kernel.errors import HeadraceError
from bench.findings import Finding, Goal, in_turns
from bench.ground import Ground
from tasks.pipelines.gateways.sandbox import Limits, Sandbox, StepCommand, choose_sandbox

RUNS = 30
GOALS = {"plain": Goal(2.0), "bubblewrap": Goal(20, "difference")}


def measure(ground: Ground) -> list[Finding]:
    """Start steps in turns."""
    workspace = ground.folder / "workspace"
    workspace.mkdir()
    ways: dict[str, Callable[[], float]] = {"bash": _bash}
    for name in GOALS:
        try:
            ways[name] = partial(_step, choose_sandbox(name), workspace)  # type: ignore[arg-type]
        except HeadraceError as error:
            print(f"step: SKIPPED {name}: {error.message}", flush=True)
    taken = in_turns(RUNS, ways)
    middle = {name: 1e3 * statistics.median(seconds) for name, seconds in taken.items()}
    return [
        Finding(f"a step that does nothing, {name}", middle[name], "ms", "bash -ec true", middle["bash"], goal)
        for name, goal in GOALS.items()
        if name in middle
    ]


def _bash() -> float:
    began = time.perf_counter()
    subprocess.run(["bash", "-ec", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _step(sandbox: Sandbox, workspace: Path) -> float:
    command = StepCommand("true", workspace, ".", {}, Limits(60.0, memory_bytes=2 << 30, processes=512), network=False)
    began = time.perf_counter()
    outcome = sandbox.run(command, lambda _stream, _data: None, lambda: False)
    if outcome.exit_code != 0:
        raise RuntimeError(f"a step that does nothing {outcome.ended}")
    return time.perf_counter() - began
