"""One line of the Procfile as a running process, whose output is read line by line."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

from launcher.output import Console, LogFile, printable
from launcher.processes import Birth, dies_with_parent, kill_carriers

MARKER = "HEADRACE_LAUNCH"
LONGEST_LINE = 64 * 1024
TAIL_LINES = 15


class Child:
    """A process that may be started again after its end. Start it from the main thread (see `dies_with_parent`)."""

    def __init__(self, name: str, command: str, folder: Path, environment: dict[str, str], log: Path) -> None:
        """`environment` is the whole of it; with the name added, its MARKER tells this process and its offspring."""
        self.name = name
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.started = 0.0
        self._command = command
        self._folder = folder
        self._environment = environment | {MARKER: f"{environment[MARKER]}/{name}"}
        self._log = LogFile(log)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """True between a start and the end that follows it."""
        return self._process is not None and self._process.poll() is None

    @property
    def birth(self) -> Birth | None:
        """The process as it runs now."""
        return Birth.of(self._process.pid) if self._process and self.is_running else None

    @property
    def exit_code(self) -> int | None:
        """How the process ended (a signal as 128 + its number), None while it runs."""
        code = self._process.poll() if self._process else None
        return 128 - code if code is not None and code < 0 else code

    @property
    def age(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self.started

    def start(self, console: Console) -> None:
        """Starts the process in a session of its own, so that the terminal's Ctrl-C reaches the launcher alone.

        What an earlier run of it left behind is killed first.
        """
        if self._process:
            self.kill()
        self.tail.clear()
        # exec: the process to signal is the command itself, not a shell in front of it.
        command = dies_with_parent(["sh", "-c", f"exec {self._command}"], "TERM")
        self._process = subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started = time.monotonic()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout, console), daemon=True)
        self._reader.start()

    def wait(self) -> int:
        """Waits for the end and the last line; returns the exit code."""
        if self._process and self._reader:
            self._process.wait()
            self._reader.join(timeout=2)
        return self.exit_code or 0

    def ask_to_stop(self) -> None:
        """SIGTERM to the process itself; how it ends its own children is its affair."""
        if self._process and self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kills the process, its group, and whatever of its offspring is left anywhere."""
        if self._process and self.is_running:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        kill_carriers(f"{MARKER}={self._environment[MARKER]}")

    def _read(self, pipe: BinaryIO, console: Console) -> None:
        with pipe:
            while line := pipe.readline(LONGEST_LINE):
                whole = line if line.endswith(b"\n") else line + b"\n"
                self._log.write(whole)
                text = printable(whole.decode(errors="replace").rstrip())
                self.tail.append(text)
                console.line(self.name, text)
