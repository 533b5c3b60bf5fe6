"""POST an execution, get 202: processor time, latency and rate beside Flask alone, the textbook's way, and Flower."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bench.caller import API, FOUR_STAGES, ONE_STEP, newcomer
from bench.client import request_bytes
from bench.findings import Finding, Goal, percentile
from bench.ground import Ground, Programs
from bench.targets import GUNICORN, Rounds, Target, bare_programs
from bench.textbook import FLOWER, textbook


def measure(ground: Ground) -> list[Finding]:
    """Measure all ways in turns."""
    with targets(ground) as ways:
        rounds = Rounds.of(ways)
    return [
        rounds.cpu("POST → 202, CPU a request", "ours", "textbook", Goal(0.45)),
        rounds.cpu("POST → 202, CPU a request", "ours", "textbook, one row"),
        rounds.cpu("POST → 202, CPU a request", "ours", "Flask alone"),
        rounds.cpu("the same for 4 stages of 7 steps", "ours, 4 stages", "ours"),
        Finding("the same, CPU of the servers", rounds.servers("ours"), "ms", "textbook", rounds.servers("textbook")),
        *(_latency(rounds, share) for share in (0.5, 0.99)),
        Finding("accepted", rounds.rate("ours"), "/s", "Flower", rounds.rate("Flower"), Goal(2, at_least=True)),
    ]


def _latency(rounds: Rounds, share: float) -> Finding:
    ours, bare = (1e3 * percentile(rounds.seconds(name), share) for name in ("ours", "textbook"))
    return Finding(f"POST → 202 over 4 connections, p{100 * share:.0f}", ours, "ms", "textbook", bare)


@contextmanager
def targets(ground: Ground) -> Iterator[dict[str, Target]]:
    """Start everything that accepts work here."""
    with ExitStack() as stack:
        ours = stack.enter_context(ground.platform("accept", "web"))
        bare = stack.enter_context(bare_programs(ground, "flask", web=f"{GUNICORN} bench.bare.flask_app:app"))
        book = stack.enter_context(textbook(ground, "textbook", flower=FLOWER))
        caller = newcomer(ours.base)
        target = partial(_target, ground)
        start = f"{API}/pipelines/{{}}/executions"
        yield {
            "ours": target(ours, start.format(caller.pipeline(ONE_STEP)), caller.token),
            "textbook": target(book.programs, f"/pipelines/{book.pipeline_id}/executions", book.token),
            "textbook, one row": target(book.programs, "/jobs", book.token),
            "ours, 4 stages": target(ours, start.format(caller.pipeline(FOUR_STAGES)), caller.token),
            "Flask alone": target(bare, "/executions"),
            "Flower": _flower(ground, book.programs),
        }


def _target(ground: Ground, programs: Programs, path: str, token: str = "") -> Target:
    request = request_bytes("POST", path, token=token, body={"variables": {"TARGET": "all"}})
    return Target(programs.port, request, 202, programs.pid("web"), ground.pids())


def _flower(ground: Ground, programs: Programs) -> Target:
    login = base64.b64encode(programs.environment["FLOWER_BASIC_AUTH"].encode()).decode()
    path, body = "/api/task/async-apply/bare.nothing", {"args": ["x"]}
    request = request_bytes("POST", path, body=body, Authorization=f"Basic {login}")
    port = int(programs.environment["FLOWER_PORT"])
    return Target(port, request, 200, programs.pid("flower"), ground.pids())
