"""What silences and inhibitions mean: labels that are, or are not, so and so. No IO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from app.monitoring.expressions import is_expression, matches_whole

OPERATORS: Final = ("=", "!=", "=~", "!~")
REPEATS: Final = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
LONGEST_EXPRESSION: Final = 200


def find_matchers_fault(matchers: Sequence[Mapping[str, str]]) -> str | None:
    """Return what is wrong with matchers, if anything: one of them has to ask for something."""
    for one in matchers:
        if "~" in one["operator"] and (fault := _find_expression_fault(one["value"])):
            return fault
    if not any(one["operator"] in ("=", "=~") and one["value"] not in ("", ".*", ".+") for one in matchers):
        return "Must ask for a value of at least one label: this would match everything."
    return None


def _find_expression_fault(text: str) -> str | None:
    if len(text) > LONGEST_EXPRESSION:
        return f"Must be an expression of at most {LONGEST_EXPRESSION} characters."
    return None if is_expression(text) else "Is not a regular expression, or looks around or back."


def matches(matchers: Iterable[Mapping[str, str]], labels: Mapping[str, str]) -> bool:
    """Tell whether labels are as all of the matchers say; a label that is not there is empty."""
    return all(_matches(one, labels.get(one["label"], "")) for one in matchers)


def _matches(matcher: Mapping[str, str], value: str) -> bool:
    operator, wanted = matcher["operator"], matcher["value"]
    try:
        found = matches_whole(wanted, value) if "~" in operator else value == wanted
    except ValueError:
        # Of a time when others were taken: what cannot be told mutes nothing.
        return False
    return found != operator.startswith("!")


def is_in_force(starts_at: datetime, ends_at: datetime, repeats: str | None, moment: datetime) -> bool:
    """Tell whether a silence holds at a moment; one that repeats does so from its first time on, until it is ended."""
    if repeats is None:
        return starts_at <= moment < ends_at
    since = (moment - starts_at) % REPEATS[repeats]
    return moment >= starts_at and since < ends_at - starts_at


def is_inhibited(labels: Mapping[str, str], by: Mapping[str, Any], its_labels: Mapping[str, str]) -> bool:
    """Tell whether an alert that fires, with its labels, mutes another: `by` has `matchers` of what is muted, and the
    labels in which both are `equal`. None mutes itself."""
    if labels == its_labels or not matches(by["matchers"], labels):
        return False
    return all(labels.get(name, "") == its_labels.get(name, "") for name in by["equal"])
