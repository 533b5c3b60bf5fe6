"""From a step's write to a live reader of its log, beside `tail -f` of a file that the same loop writes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.caller import API, Caller, make_repository, newcomer
from bench.findings import Finding, Goal, percentile
from bench.ground import Ground

LINES = 300
PAUSE = 0.03
SCRIPT = f"for i in $(seq {LINES}); do date +%s.%N; sleep {PAUSE}; done"
PROCESSES = ("web", "stream", "worker-interactive", "worker-ci")
# A write is kept within a fifth of a second, and told of at once.
GOAL = Goal(400, "figure")


def measure(ground: Ground) -> list[Finding]:
    """Read along, once with the platform and once without."""
    with ground.platform("live", *PROCESSES) as ours:
        caller = newcomer(ours.base, make_repository(ours.folder / "repository"))
        step = {"name": "print", "run": SCRIPT}
        pipeline_id = caller.pipeline({"name": "live", "stages": [{"name": "talk", "steps": [step]}]})
        execution = caller.start(pipeline_id)
        path = f"{execution['stages'][0]['steps'][0]['logs_url']}?follow=true"
        ours_seconds = list(_delays_of_stream(caller, path.removeprefix(API)))
        bare_seconds = list(_delays_of_tail(ours.folder / "lines"))
    return [
        Finding(
            f"a step's write → a live reader, p{round(100 * share)}",
            1e3 * percentile(ours_seconds, share),
            "ms",
            "tail -f",
            1e3 * percentile(bare_seconds, share),
            GOAL if share > 0.5 else None,
        )
        for share in (0.5, 0.99)
    ]


def _delays_of_stream(caller: Caller, path: str) -> Iterator[float]:
    """Follow a log to its end; give for each line the seconds since it was written."""
    for event in caller.api.follow(path):
        heard = time.time()
        lines = event.data.get("data", {}).get("lines", ())
        yield from (heard - float(line["message"]) for line in lines if line["stream"] == "stdout")


def _delays_of_tail(file: Path) -> Iterator[float]:
    file.touch()
    with (
        subprocess.Popen(["tail", "-n", "0", "-f", str(file)], stdout=subprocess.PIPE) as tail,
        subprocess.Popen(["bash", "-c", f"sleep 0.5; {SCRIPT} >>{file}"]) as writer,
    ):
        assert tail.stdout is not None
        for _ in range(LINES):
            moment = float(tail.stdout.readline())
            yield time.time() - moment
        writer.wait()
        tail.kill()
