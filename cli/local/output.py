"""The output of one step: lines, masked as the platform masks them, written to the screen as they come."""

from __future__ import annotations

from app.kernel.clock import utc_now
from app.pipelines import LogStream, text_of
from cli.local.screen import Screen
from tasks.pipelines.capture import Capture
from tasks.pipelines.masking import Masker


class StepOutput:
    """Takes what a step writes, in the step's own thread."""

    def __init__(self, screen: Screen, masker: Masker, stage: str, step: str) -> None:
        self._screen = screen
        self._capture = Capture(masker, utc_now)
        self._stage = stage
        self._step = step

    def write(self, stream: LogStream, data: bytes) -> None:
        """Take raw output."""
        self._capture.feed(stream, data)
        self._show()

    def say(self, message: str) -> None:
        """Add a line of the program's own."""
        self._capture.say(message)
        self._show()

    def close(self) -> None:
        """Show what was written last without a newline."""
        self._capture.close()
        self._show()

    def _show(self) -> None:
        if chunk := self._capture.take_chunk():
            self._screen.lines(self._stage, self._step, text_of(chunk.data).removesuffix("\n"))
