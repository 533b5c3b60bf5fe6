"""Where the server keeps its objects: each write raises one counter, and a log of all writes is what watches read."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.support.kubernetes.statuses import expired

Object = dict[str, Any]
# Lower versions are history that nobody remembers, as on a server that has run for a while.
FIRST_VERSION = 100


class Key(NamedTuple):
    """Which object: its kind's key in the store, its namespace (empty for none) and its name."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Write:
    """One write. `before` is None for what was made, `after` for what was removed."""

    version: int
    key: Key
    before: Object | None
    after: Object | None
    last: Object


class Store:
    """All methods are to be called with `lock` held; `changed` tells of each write. What is returned is a copy, but
    what `writes_since` returns is shared and not to be changed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.version = FIRST_VERSION
        self._objects: dict[Key, Object] = {}
        self._log: list[Write] = []
        self._forgotten = FIRST_VERSION
        self._lists: dict[int, list[Object]] = {}

    def get(self, key: Key) -> Object | None:
        """Return an object, or None."""
        return copy.deepcopy(self._objects.get(key))

    def list(self, kind: str, namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind by namespace and name."""
        return [copy.deepcopy(self._objects[key]) for key in self.filed(kind, namespace)]

    def filed(self, kind: str | None = None, namespace: str | None = None) -> list[Key]:
        """Return the keys of objects, in order."""
        return sorted(
            key
            for key in self._objects
            if (kind is None or key.kind == kind) and (namespace is None or key.namespace == namespace)
        )

    def put(self, key: Key, body: Object) -> Object:
        """Write an object, if it differs, and return it with its new resourceVersion."""
        before = self._objects.get(key)
        if before is not None and _same(before, body):
            return copy.deepcopy(before)
        after = copy.deepcopy(body)
        after["metadata"]["resourceVersion"] = str(self.version + 1)
        self._objects[key] = after
        self._record(key, before, after, after)
        return copy.deepcopy(after)

    def remove(self, key: Key) -> None:
        """Remove an object."""
        before = self._objects.pop(key)
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self.version + 1)
        self._record(key, before, None, last)

    def writes_since(self, version: int) -> Iterator[Write]:
        """Yield the writes after a version, oldest first; raises 410 where they are forgotten."""
        if version < self._forgotten:
            raise expired(f"too old resource version: {version} ({self._forgotten})")
        return iter([write for write in self._log[max(0, version - self._forgotten) :] if write.version > version])

    def compact(self) -> None:
        """Forget all history: older watches and unfinished lists get 410."""
        with self.lock:
            self._log.clear()
            self._lists.clear()
            self._forgotten = self.version

    def keep_list(self, items: list[Object]) -> int:
        """Remember a list whose pages are still asked for; return its version."""
        self._lists[self.version] = items
        return self.version

    def kept_list(self, version: int) -> list[Object]:
        """Return what `keep_list` remembered; raises 410."""
        if version not in self._lists:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        return self._lists[version]

    def _record(self, key: Key, before: Object | None, after: Object | None, last: Object) -> None:
        self.version += 1
        self._log.append(Write(self.version, key, before, after, last))
        self.changed.notify_all()


def _same(before: Object, after: Object) -> bool:
    return _bare(before) == _bare(after)


def _bare(body: Object) -> Object:
    meta = {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}
    return {**body, "metadata": meta}
