"""Ways in which the server fails on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

Deed = Literal["answer", "delay", "black hole", "drop watch", "drip"]


@dataclass
class Fault:
    """What goes wrong with requests whose method and path begin so, `times` often (None: always).

    `answer` sends `status`, `headers` and `body`, repeated `copies` times; `delay` waits `seconds` and goes on;
    `black hole` never answers; `drop watch` ends a watch without warning after `events` of them; `drip` sends a byte
    of the answer's head each `seconds`.
    """

    deed: Deed
    method: str = ""
    path: str = ""
    times: int | None = None
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    copies: int = 1
    seconds: float = 0.0
    events: int = 0


class Faults:
    """The faults that are set; `clear` also lets those go who are held by one."""

    def __init__(self) -> None:
        self._set: list[Fault] = []
        self._lock = threading.Lock()
        self.released = threading.Event()

    def add(self, deed: Deed, **how: object) -> Fault:
        """Set one."""
        fault = Fault(deed, **how)  # type: ignore[arg-type]
        with self._lock:
            self.released.clear()
            self._set.append(fault)
        return fault

    def clear(self) -> None:
        """Unset all."""
        with self._lock:
            self._set.clear()
            self.released.set()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault of a request, and count it."""
        with self._lock:
            for fault in self._set:
                if method.startswith(fault.method) and path.startswith(fault.path) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None
