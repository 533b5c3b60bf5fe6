"""What a closed loop of requests is sent to, and what a round of it took."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat

from bench.client import Load, closed_loop
from bench.findings import Finding, Goal, in_turns, median_ratio
from bench.ground import Ground, Programs
from bench.meters import taking

ROUNDS = 3
REQUESTS = 64
WARM_UP = 32
GUNICORN = "python -m gunicorn --config config/gunicorn.py"


@dataclass(frozen=True, slots=True)
class Target:
    """Where, what is sent, what is answered, whose processor time it is: the program's, and its servers'."""

    port: int
    request: bytes
    status: int
    pid: int
    servers: tuple[int, ...]

    def warm_up(self) -> None:
        """Let every thread have answered."""
        closed_loop(self.port, repeat(self.request, WARM_UP), self.status)

    def load(self) -> Round:
        """Send one round."""
        with taking(*self.servers) as servers, taking(self.pid) as own:
            load = closed_loop(self.port, repeat(self.request, REQUESTS), self.status)
        return Round(load, 1e3 * own.cpu / REQUESTS, 1e3 * servers.cpu / REQUESTS)


@dataclass(frozen=True, slots=True)
class Round:
    """One round: what the client saw, and milliseconds of processor a request, of the program and of its servers."""

    load: Load
    cpu: float
    servers: float


@dataclass(frozen=True, slots=True)
class Rounds:
    """The rounds of several targets, taken in turns."""

    taken: Mapping[str, Sequence[Round]]

    @classmethod
    def of(cls, targets: Mapping[str, Target]) -> Rounds:
        """Warm the targets up and measure them."""
        for target in targets.values():
            target.warm_up()
        return cls(in_turns(ROUNDS, {name: target.load for name, target in targets.items()}))

    def cpu(self, what: str, ours: str, bare: str, goal: Goal | None = None) -> Finding:
        """Compare the processor time of two programs: the median of the rounds' ratios."""
        mine, other = ([one.cpu for one in self.taken[name]] for name in (ours, bare))
        middle = statistics.median(mine)
        return Finding(what, middle, "ms", bare, middle / median_ratio(mine, other), goal)

    def servers(self, name: str) -> float:
        """Return milliseconds of PostgreSQL's and Redis' processor a request."""
        return statistics.median(one.servers for one in self.taken[name])

    def rate(self, name: str) -> float:
        """Return requests a second."""
        return statistics.median(one.load.rate for one in self.taken[name])

    def seconds(self, name: str) -> list[float]:
        """Return how long each request took."""
        return [seconds for one in self.taken[name] for seconds in one.load.seconds]


@contextmanager
def bare_programs(ground: Ground, name: str, **commands: str) -> Iterator[Programs]:
    """Run bare parts, on an empty database."""
    with ground.programs(name, commands, empty=True).running() as programs:
        yield programs
