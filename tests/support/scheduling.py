"""Which process of a parallel run does which tests."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

FLOWS = "tests/flows/"


class FileScheduling(LoadFileScheduling):
    """Keeps the tests of a file together, for they share what was made for them; the flows share one platform.

    xdist's own groups (`--dist loadgroup`) do nothing under pytest 9.2, which names tests in another attribute.
    """

    def _split_scope(self, nodeid: str) -> str:
        return FLOWS if nodeid.startswith(FLOWS) else str(super()._split_scope(nodeid))
