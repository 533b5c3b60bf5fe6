"""Label and field selectors."""

from __future__ import annotations

import re
from typing import Any

from tests.support.kubernetes.statuses import bad_request

Object = dict[str, Any]
_SET = re.compile(r"\s*(?P<key>[\w./-]+)\s+(?P<op>in|notin)\s+\((?P<values>[^)]*)\)\s*")
_EQUAL = re.compile(r"\s*(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)\s*")
_THERE = re.compile(r"\s*(?P<not>!?)\s*(?P<key>[\w./-]+)\s*")


def matches(body: Object, labels: str | None, fields: str | None) -> bool:
    """Tell whether an object fits both selectors; raises 400 for one that cannot be read."""
    own = body["metadata"].get("labels") or {}
    return all(_fits_label(term, own) for term in _terms(labels)) and all(
        _fits_field(term, body) for term in _terms(fields)
    )


def matches_selector(own: Object, selector: Object | None) -> bool:
    """Tell whether labels fit a `matchLabels` selector, as workloads have one."""
    wanted = (selector or {}).get("matchLabels") or {}
    return all(own.get(key) == value for key, value in wanted.items())


def _terms(text: str | None) -> list[str]:
    return re.split(r",(?![^(]*\))", text) if text else []


def _fits_label(term: str, own: Object) -> bool:
    if match := _SET.fullmatch(term):
        is_in = own.get(match["key"]) in [value.strip() for value in match["values"].split(",")]
        return is_in if match["op"] == "in" else not is_in
    if match := _EQUAL.fullmatch(term):
        return bool((own.get(match["key"]) == match["value"]) == (match["op"] != "!="))
    if match := _THERE.fullmatch(term):
        return (match["key"] in own) != bool(match["not"])
    raise bad_request(f"unable to parse requirement: {term!r}")


def _fits_field(term: str, body: Object) -> bool:
    match = _EQUAL.fullmatch(term)
    if match is None:
        raise bad_request(f"invalid selector: {term!r}")
    value: Any = body
    for part in match["key"].split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return bool((str(value or "") == match["value"]) == (match["op"] != "!="))
