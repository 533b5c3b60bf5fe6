"""A filter of system calls for steps, as seccomp wants it: a small program of classic BPF.

Without capabilities and namespaces of their own steps can do little harm by mount, setns or ptrace; the filter takes
away what is left of the kernel's wide and seldom needed doors. They answer ENOSYS, as a kernel does that lacks them, so
that programs fall back. Formats: linux/filter.h, linux/seccomp.h; numbers: the kernel's tables of system calls.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterable

_KEYRINGS = ("add_key", "request_key", "keyctl")
_ASYNCHRONOUS = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}

# By machine: the architectures its kernel runs, as audit numbers, each with the calls refused there.
_REFUSED: dict[str, dict[int, dict[str, int]]] = {
    "x86_64": {
        0xC000003E: {
            **dict(zip(_KEYRINGS, (248, 249, 250), strict=True)),
            "perf_event_open": 298,
            "bpf": 321,
            "userfaultfd": 323,
            "open_by_handle_at": 304,
            **_ASYNCHRONOUS,
        },
        0x40000003: {
            **dict(zip(_KEYRINGS, (286, 287, 288), strict=True)),
            "perf_event_open": 336,
            "bpf": 357,
            "userfaultfd": 374,
            "open_by_handle_at": 342,
            **_ASYNCHRONOUS,
        },
    },
    "aarch64": {
        0xC00000B7: {
            **dict(zip(_KEYRINGS, (217, 218, 219), strict=True)),
            "perf_event_open": 241,
            "bpf": 280,
            "userfaultfd": 282,
            "open_by_handle_at": 265,
            **_ASYNCHRONOUS,
        },
    },
}

_X32_CALLS = 0x40000000  # a second numbering of x86_64, which would lead around the list
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.ENOSYS


def filter_for(machine: str | None = None) -> bytes | None:
    """The program for this machine (`platform.machine()`); None where its numbers are not known to us."""
    architectures = _REFUSED.get(machine or platform.machine())
    if architectures is None:
        return None
    program = [_instruction(_LOAD, _ARCHITECTURE_AT)]
    for architecture, calls in architectures.items():
        check = _check(calls.values())
        program += [_instruction(_IF_EQUAL, architecture, otherwise=len(check)), *check]
    return b"".join((*program, _instruction(_RETURN, _REFUSE)))


def _check(numbers: Iterable[int]) -> list[bytes]:
    """Load the number of the call and return a verdict."""
    refused = sorted(numbers)
    tests = [_instruction(_IF_AT_LEAST, _X32_CALLS, then=len(refused) + 1)]
    for place, number in enumerate(refused):
        tests.append(_instruction(_IF_EQUAL, number, then=len(refused) - place))
    return [
        _instruction(_LOAD, _NUMBER_AT),
        *tests,
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _REFUSE),
    ]


def _instruction(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)
