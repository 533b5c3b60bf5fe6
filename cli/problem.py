"""What ends a command with one line to read."""

from __future__ import annotations


class Problem(Exception):
    """The command cannot do what was asked; `status` is what the program ends with."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status
