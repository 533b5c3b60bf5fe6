"""Which process of a parallel run does which tests, and in which order."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadFileScheduling

FLOWS = "tests/flows/"
# What takes minutes though its tests are few: begun last, as xdist would, one process would wait for the other's.
LONGEST = ("tests/faults/", FLOWS, "tests/launcher/", "tests/deploy/")


class FileScheduling(LoadFileScheduling):
    """Keeps the tests of a file together, for they share what was made for them; the flows share one platform.

    xdist's own groups (`--dist loadgroup`) do nothing under pytest 9.2, which names tests in another attribute.
    """

    def _split_scope(self, nodeid: str) -> str:
        return FLOWS if nodeid.startswith(FLOWS) else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: Any) -> None:
        longest = next((scope for scope in self.workqueue if scope.startswith(LONGEST)), None)
        if longest:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
