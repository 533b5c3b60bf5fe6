"""What containers are said to have written: tests put it there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

from tests.support.kubernetes.statuses import bad_request


class Logs:
    """Lines by namespace and pod. A log that is not `ended` is followed."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[bytes]] = {}
        self._ended: set[tuple[str, str]] = set()
        self._changed = threading.Condition()

    def write(self, namespace: str, pod: str, *lines: bytes, ended: bool = False) -> None:
        """Add lines, given without their ends."""
        with self._changed:
            self._lines.setdefault((namespace, pod), []).extend(lines)
            if ended:
                self._ended.add((namespace, pod))
            self._changed.notify_all()

    def read(
        self, namespace: str, pod: str, query: Mapping[str, str], is_stopping: Callable[[], bool]
    ) -> Iterator[bytes]:
        """Yield lines; raises 400 for a pod that has not begun."""
        place = (namespace, pod)
        if place not in self._lines:
            raise bad_request(f'container in pod "{pod}" is waiting to start: ContainerCreating')
        tail = query.get("tailLines")
        start = max(0, len(self._lines[place]) - int(tail)) if tail else 0
        return self._follow(place, start, query.get("follow") == "true", is_stopping)

    def _follow(
        self, place: tuple[str, str], start: int, follow: bool, is_stopping: Callable[[], bool]
    ) -> Iterator[bytes]:
        while True:
            with self._changed:
                fresh = self._lines[place][start:]
                ends = not follow or place in self._ended or is_stopping()
                if not fresh and not ends:
                    self._changed.wait(0.1)
            for line in fresh:
                yield line + b"\n"
            start += len(fresh)
            if ends:
                return
