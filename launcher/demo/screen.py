"""How the demo looks: live log lines above a progress bar on a terminal, the same as plain lines elsewhere."""

import contextlib
import threading
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from launcher.output import printable

STYLES = {"succeeded": "green", "failed": "red", "timed_out": "red", "cancelled": "yellow", "skipped": "dim"}


class Screen:
    """Standard output, shared by the threads that follow logs. After `close` nothing more is shown."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, emoji=False, soft_wrap=True)
        self._closed = threading.Event()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("queued", total=100)

    def close(self) -> None:
        """Shows nothing from here on: somebody else speaks now."""
        self._closed.set()
        if self._bar.live.is_started:
            self._bar.stop()

    def say(self, text: str = "", style: str = "") -> None:
        """A message of the demo."""
        if not self._closed.is_set():
            self._console.print(escape(printable(text)), style=style or None)

    def show_lines(self, source: str, lines: list[str]) -> None:
        """Lines of a step's log, which may hold colours and were written by anybody."""
        if lines and not self._closed.is_set():
            self._console.out("\n".join(f"  {source} | {printable(line)}" for line in lines), highlight=False)

    def show_status(self, source: str, status: str, remark: str = "") -> None:
        """A stage or step that moved on."""
        self.say(f"{source} {status.replace('_', ' ')}{remark}", STYLES.get(status, "cyan"))

    @contextlib.contextmanager
    def progress(self) -> Iterator[None]:
        """Shows the bar at the foot of the terminal while the block runs."""
        if not self._console.is_terminal:
            yield
            return
        with self._bar:
            yield

    def advance(self, percent: float, phase: str) -> None:
        """Moves the bar; without a terminal the statuses tell as much."""
        self._bar.update(self._task, completed=percent, description=escape(printable(phase)))

    def show_table(self, columns: list[str], rows: list[list[str]], status_column: int | None = None) -> None:
        """A table; the words of the status column take their colours."""
        table = Table(*columns)
        for row in rows:
            cells = [escape(printable(cell)) for cell in row]
            if status_column is not None and (style := STYLES.get(row[status_column].replace(" ", "_"))):
                cells[status_column] = f"[{style}]{cells[status_column]}[/]"
            table.add_row(*cells)
        if not self._closed.is_set():
            self._console.print(table, soft_wrap=False)
