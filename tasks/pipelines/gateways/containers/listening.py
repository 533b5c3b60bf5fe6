"""Whether something listens on a port, by what the kernel's own tables say."""

from __future__ import annotations

from typing import Final

_LISTENING: Final = "0A"
_THIS_MACHINE: Final = ("0100007F", "00000000000000000000000001000000")


def listens(table: str, port: int, *, from_here: bool = False) -> bool:
    """Tell whether the kernel's table of TCP sockets has one that listens on a port: for others than its own machine,
    or, `from_here`, for that as well."""
    for line in table.splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == _LISTENING:
            address, _, number = words[1].rpartition(":")
            if number == f"{port:04X}" and (from_here or address not in _THIS_MACHINE):
                return True
    return False
