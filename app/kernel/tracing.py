"""Tracing: spans of what was done, told to OpenTelemetry where it is switched on (config/tracing.py), else to nobody.

Switched off, as it is by default, a span costs a call and no more. Names are few and fixed; what differs goes into
attributes, which hold ids, names and numbers: never addresses of repositories, variables, or the text of an error.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol

Kind = Literal["internal", "server", "consumer"]


class Span(Protocol):
    """Something that is being done."""

    def note(self, **attributes: Any) -> None:
        """Add attributes; those that are None add nothing."""
        ...

    def rename(self, name: str) -> None:
        """Give it the name that is known only now."""
        ...

    def fail(self, code: str) -> None:
        """Note that it did not succeed, and by which code."""
        ...


class Tracer(Protocol):
    """What spans are told to."""

    def span(self, name: str, kind: Kind, attributes: dict[str, Any]) -> AbstractContextManager[Span]: ...

    def continued(self, traceparent: str) -> AbstractContextManager[None]: ...

    def traceparent(self) -> str | None: ...

    def trace_id(self) -> str | None: ...


class _Nothing:
    def note(self, **attributes: Any) -> None: ...

    def rename(self, name: str) -> None: ...

    def fail(self, code: str) -> None: ...


_NO_SPAN: AbstractContextManager[Span] = nullcontext(_Nothing())
_NO_TRACE: AbstractContextManager[None] = nullcontext()

_tracer: Tracer | None = None


def trace_with(tracer: Tracer | None) -> None:
    """Tell all spans of this process to `tracer`; None switches tracing off."""
    global _tracer
    _tracer = tracer


def is_tracing() -> bool:
    """Tell whether spans are told to anybody."""
    return _tracer is not None


def span(name: str, *, kind: Kind = "internal", **attributes: Any) -> AbstractContextManager[Span]:
    """Open a span while the block runs; an error that leaves the block fails it."""
    return _NO_SPAN if _tracer is None else _tracer.span(name, kind, attributes)


def continued(traceparent: str | None) -> AbstractContextManager[None]:
    """Let the block's spans belong to the trace that `traceparent` (W3C Trace Context) names."""
    return _NO_TRACE if _tracer is None or not traceparent else _tracer.continued(traceparent)


def current_traceparent() -> str | None:
    """Return the name of the current span, for those who carry on what it began."""
    return None if _tracer is None else _tracer.traceparent()


def current_trace_id() -> str | None:
    """Return the id of the current trace, as its 32 hexadecimal digits."""
    return None if _tracer is None else _tracer.trace_id()
