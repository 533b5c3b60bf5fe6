"""A mail server that keeps nothing but when its first and newest mail came, in a process of its own.

`python -m bench.inbox` prints the port; each line it is told is answered with `count first newest` since the last one.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from aiosmtpd.controller import Controller

from launcher.ports import free_port


class Inbox:
    """Counts what it is given."""

    def __init__(self) -> None:
        self.count, self.first, self.newest = 0, 0.0, 0.0

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Count a mail."""
        self.newest = time.monotonic()
        self.first = self.first if self.count else self.newest
        self.count += 1
        return "250 OK"


def main() -> None:
    """Serve until the input ends."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    print(controller.port, flush=True)
    for _ in sys.stdin:
        print(inbox.count, inbox.first, inbox.newest, flush=True)
        inbox.count = 0
    controller.stop()


if __name__ == "__main__":
    main()
