"""The platform in the background: start it, find it, stop it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from launcher.files import rotate
from launcher.home import AlreadyRunning, Home
from launcher.leftovers import stop_leftovers
from launcher.output import LOG_BYTES, Console
from launcher.processes import PROC, Birth, LaunchError, wait_until_gone

# More than a stop may take: thirty seconds for running work, then the servers.
STOP_SECONDS = 60.0
HURRY_SECONDS = 20.0


class StartedBadly(LaunchError):
    """The platform in the background did not become ready; what it said has been shown."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("Headrace did not start")
        self.exit_code = exit_code or 1


def start_in_background(home: Home, arguments: list[str]) -> None:
    """Starts a launcher in a session of its own; returns when the platform is ready, showing what it says meanwhile."""
    home.make()
    if home.holder():
        raise AlreadyRunning
    # What a killed launcher said is not to be taken for the new one's word.
    home.run_file.unlink(missing_ok=True)
    log = home.logs / "launcher.log"
    shown = rotate(log, LOG_BYTES)
    with log.open("ab") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "launcher", "--home", str(home.folder), *arguments, "up", "--quiet"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with log.open("rb") as said:
        said.seek(shown)
        try:
            while launcher.poll() is None and home.read_run() is None:
                _show(said.read())
                time.sleep(0.1)
        except BaseException:
            launcher.terminate()
            raise
        _show(said.read())
    if home.holder() is None:
        raise StartedBadly(launcher.wait())


def stop_running(home: Home, console: Console) -> None:
    """Stops the launcher that works in `home`, and what a killed one left; nothing there is fine."""
    launcher = home.holder()
    if launcher is None and home.read_record() is None:
        console.say("Headrace is not running")
        return
    if launcher:
        console.say("Stopping Headrace")
        _end(launcher)
    with contextlib.suppress(AlreadyRunning), home.lock():
        stop_leftovers(home, console)
    console.say("Headrace is stopped")


def _end(launcher: Birth) -> None:
    # The second SIGTERM tells a launcher that waits for running work not to.
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGTERM, HURRY_SECONDS), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(launcher.pid, number)
        if not wait_until_gone([launcher], seconds):
            return


def show_status(home: Home, console: Console) -> int:
    """Prints a table of the processes; returns 0 when the platform is ready, else 3, as service managers do."""
    launcher, run, record = home.holder(), home.read_run(), home.read_record()
    if launcher is None:
        console.say("Headrace is not running")
        return 3
    console.say(f"Headrace is ready: {run['api']}  Flower: {run['flower']}" if run else "Headrace is starting")
    console.say(f"{'PROCESS':<16}{'PID':>8}  {'STATE':<8}{'MEMORY':>9}")
    for name, birth in {"launcher": launcher, **(record.processes if record else {})}.items():
        state = "running" if birth.is_alive() else "ended"
        console.say(f"{name:<16}{birth.pid:>8}  {state:<8}{_memory(birth):>9}")
    return 0 if run else 3


def _memory(birth: Birth) -> str:
    try:
        pages = int((PROC / str(birth.pid) / "statm").read_text().split()[1])
    except OSError:
        return "-"
    return f"{pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f} MB"


def _show(said: bytes) -> None:
    sys.stdout.buffer.write(said)
    sys.stdout.buffer.flush()
