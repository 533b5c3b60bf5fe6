"""Fingerprints: what makes two failures the same one. Pure; no database, no clock, no values of anybody's.

A fingerprint is made of the error's code and of where it happened: the kind of the job and, where it is known, the
place in it. A place is a stage with its step, or the innermost function of our own that an unforeseen error passed.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from typing import Any

OWN_PACKAGES = frozenset({"app", "tasks", "workers"})
LENGTH = 16


def identify(kind: str, error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error of a job of `kind` with its fingerprint."""
    return {**error, "fingerprint": fingerprint_of(kind, error)}


def fingerprint_of(kind: str, error: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that are the same in each run, on each machine and in the next version."""
    parts = (str(error["code"]), kind, place_of(error) or "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:LENGTH]


def place_of(error: Mapping[str, Any]) -> str | None:
    """Return where in its job an error happened, such as `build/compile`, or None when nothing more is known."""
    details = error.get("details") or {}
    names = [str(details[name]) for name in ("stage", "step") if details.get(name)]
    return "/".join(names) or details.get("function")


def function_of(error: BaseException) -> str | None:
    """Return the innermost function of our own that `error` passed, as `module:function`.

    Without its line, which the next edit moves.
    """
    functions = [
        f"{frame.f_globals['__name__']}:{frame.f_code.co_qualname}"
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] in OWN_PACKAGES
    ]
    return functions[-1] if functions else None
