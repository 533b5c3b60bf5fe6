"""What a thread, or a task of asyncio, works for: a request, a job and its attempt. Log lines tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from types import MappingProxyType
from typing import Any, TypeVar

Result = TypeVar("Result")

_known: ContextVar[Mapping[str, Any]] = ContextVar("headrace.context", default=MappingProxyType({}))


def known() -> Mapping[str, Any]:
    """Return what is known of the work at hand: `request_id`, `job_id`, `attempt`, as far as there are any."""
    return _known.get()


def begin(**fields: Any) -> None:
    """Note what this thread works for from now on, in the place of all that it worked for."""
    _known.set(fields)


@contextmanager
def working_for(**fields: Any) -> Iterator[None]:
    """Add to what is known while the block runs; fields that are None add nothing."""
    before = _known.set({**_known.get(), **{name: value for name, value in fields.items() if value is not None}})
    try:
        yield
    finally:
        _known.reset(before)


def carried(work: Callable[..., Result]) -> Callable[..., Result]:
    """Return `work` for another thread, where it knows what this thread knows now; it may be called once at a time."""
    context = copy_context()
    return lambda *arguments: context.run(work, *arguments)
