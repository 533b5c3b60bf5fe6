"""Regular expressions that clients write. They are RE2's, which match in linear time: one that backtracks would stop
the process that tells of everybody's alerts. No IO."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

_QUIET = re2.Options()
_QUIET.log_errors = False


def is_expression(text: str) -> bool:
    """Tell whether a text is an expression; one that looks around or back is none."""
    try:
        _compile(text)
    except re2.error:
        return False
    return True


def matches_whole(text: str, value: str) -> bool:
    """Tell whether an expression matches the whole of a value; raises ValueError for what is none."""
    try:
        return _compile(text).fullmatch(value) is not None
    except re2.error as error:
        raise ValueError("is not an expression") from error


@lru_cache(1000)
def _compile(text: str) -> Any:
    return re2.compile(text, _QUIET)
