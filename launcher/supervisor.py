"""Keeps processes running: starts them in order, waits until each is ready, starts again what dies, stops all."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from launcher.child import Child
from launcher.embedded.server import EmbeddedServer
from launcher.output import Console
from launcher.processes import Birth, LaunchError

TICK_SECONDS = 0.2
READY_SECONDS = 180.0
STARTS_BEFORE_GIVING_UP = 3
LONGEST_PAUSE = 30.0
HEALTHY_SECONDS = 60.0
GRACE_SECONDS = 30.0

Gate = Callable[[Child], bool]


class Stopped(BaseException):
    """Somebody asked the launcher to stop: Ctrl-C, SIGTERM, or a terminal that closed."""


class StartFailed(LaunchError):
    """A process died again and again, or never became ready, before the platform was up."""

    def __init__(self, child: Child, what: str, exit_code: int) -> None:
        super().__init__("\n".join([f"{child.name} {what}; its last lines:", *(f"  {line}" for line in child.tail)]))
        self.exit_code = exit_code or 1


class StopSignals:
    """Turns the first signal into Stopped, wherever the main thread is, and later ones into haste."""

    def __init__(self) -> None:
        self.asked = False
        self.hurry = threading.Event()

    def install(self) -> None:
        """Takes over Ctrl-C, SIGTERM and hang-up, also where a shell had them ignored for a background process."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def begin_stop(self) -> None:
        """From here on signals only hurry: a stop that has begun is not interrupted."""
        self.asked = True

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            self.hurry.set()
            return
        self.asked = True
        raise Stopped


class Supervisor:
    """The processes of one platform. All methods belong to the main thread."""

    def __init__(self, servers: Sequence[EmbeddedServer], console: Console, changed: Callable[[], None]) -> None:
        """`changed` is called after each start of a process, when pids are no longer what they were."""
        self._servers = servers
        self._console = console
        self._changed = changed
        self._children: list[Child] = []
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._starting = False

    def births(self) -> dict[str, Birth]:
        """What runs, by name, in the order of starting."""
        found = {server.name.lower(): Birth.of(server.pid) for server in self._servers if server.pid}
        found |= {child.name: child.birth for child in self._children}
        return {name: birth for name, birth in found.items() if birth}

    def start(self, children: Sequence[Child]) -> None:
        """Starts the children in their order."""
        for child in children:
            self._children.append(child)
            child.start(self._console)
            self._changed()

    def wait_until_ready(self, gate: Gate) -> None:
        """Returns once the gate has let every child pass. Raises StartFailed for one that cannot be got running."""
        self._starting = True
        waiting = list(self._children)
        deadline = time.monotonic() + READY_SECONDS
        while waiting := [child for child in waiting if not (child.is_running and gate(child))]:
            self._revive()
            if time.monotonic() > deadline:
                raise StartFailed(waiting[0], f"was not ready within {READY_SECONDS:.0f} seconds", 1)
            time.sleep(TICK_SECONDS)
        self._starting = False

    def watch(self, until: Callable[[], bool]) -> None:
        """Starts again whatever dies, until told to end."""
        while not until():
            self._revive()
            time.sleep(TICK_SECONDS)

    def stop(self, hurry: threading.Event) -> None:
        """Asks the children to end, last started first; kills what takes too long; the servers go when all are gone."""
        for child in reversed(self._children):
            child.ask_to_stop()
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.is_running for child in self._children):
            if time.monotonic() > deadline or hurry.wait(TICK_SECONDS / 2):
                break
        for child in reversed(self._children):
            child.kill()
        for server in reversed(self._servers):
            server.stop()

    def _revive(self) -> None:
        for server in self._servers:
            if server.pid is None:
                self._console.say(f"{server.name} ended; starting it again")
                server.start()
                self._changed()
        for child in self._children:
            if child.is_running:
                continue
            if child.name not in self._due:
                self._note_death(child)
            elif time.monotonic() >= self._due[child.name]:
                del self._due[child.name]
                child.start(self._console)
                self._changed()

    def _note_death(self, child: Child) -> None:
        deaths = 1 if child.age > HEALTHY_SECONDS else self._deaths.get(child.name, 0) + 1
        if self._starting and deaths >= STARTS_BEFORE_GIVING_UP:
            raise StartFailed(child, f"ended with exit code {child.exit_code}", child.exit_code or 1)
        pause = min(0.5 * 2 ** (deaths - 1), LONGEST_PAUSE)
        self._deaths[child.name], self._due[child.name] = deaths, time.monotonic() + pause
        self._console.say(f"{child.name} ended with exit code {child.exit_code}; starting it again in {pause:g} s")
