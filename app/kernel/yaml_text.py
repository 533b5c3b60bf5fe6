"""Hostile YAML or JSON text to plain values, from the parser's events: no object is constructed, nothing is repeated.

For configuration that machines exchange (kubeconfigs, manifests). Anchors, aliases, merges and tags of one's own are
refused. Scalars are read by YAML 1.2's core schema, so `on` and `2024-01-01` are text; but `0644` is octal, as the
file modes in manifests mean it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

DEEPEST: Final = 64

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_OCTAL: Final = re.compile(r"0[0-7]{1,18}")
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FRACTION: Final = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,2})?")
_STANDARD: Final = "tag:yaml.org,2002:"
_ALLOWED_TAGS: Final = frozenset({None, "!", *(_STANDARD + kind for kind in ("str", "seq", "map"))})


class UnreadableText(ValueError):
    """The text cannot be read. The message says why and where; lines count from 1."""


def read_document(text: str | bytes, *, max_bytes: int) -> Any:
    """Return the one document of the text as dicts, lists, text, numbers, booleans and None."""
    documents = read_documents(text, max_bytes=max_bytes, max_documents=1)
    if not documents:
        raise UnreadableText("is empty")
    return documents[0]


def read_documents(text: str | bytes, *, max_bytes: int, max_documents: int) -> list[Any]:
    """Return the documents of the text; those without any content are left out. Raises UnreadableText."""
    decoded = _decode(text, max_bytes)
    try:
        return _Reader(decoded, max_documents).documents()
    except yaml.reader.ReaderError as error:
        raise UnreadableText(f"holds a character YAML does not allow: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise UnreadableText(f"is not YAML: {place}{error.problem or error.context}") from None


def _decode(text: str | bytes, max_bytes: int) -> str:
    if len(text) > max_bytes:
        raise UnreadableText(f"must not be longer than {max_bytes} bytes")
    try:
        encoded = text.encode() if isinstance(text, str) else text
        decoded = encoded.decode("utf-8-sig")
    except (UnicodeEncodeError, UnicodeDecodeError):
        raise UnreadableText("is not UTF-8") from None
    if len(encoded) > max_bytes:
        raise UnreadableText(f"must not be longer than {max_bytes} bytes")
    if "\x00" in decoded:
        raise UnreadableText("holds a NUL")
    return decoded


class _Reader:
    def __init__(self, text: str, max_documents: int) -> None:
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self._max_documents = max_documents

    def documents(self) -> list[Any]:
        next(self._events)
        found: list[Any] = []
        while not isinstance(start := next(self._events), yaml.StreamEndEvent):
            value = self._value(next(self._events), 1)
            next(self._events)
            if value is None:
                continue
            if len(found) == self._max_documents:
                raise _fault(start, f"holds more than {self._max_documents} document(s)")
            found.append(value)
        return found

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _fault(event, "holds an anchor or an alias, which are not allowed")
        if event.tag not in _ALLOWED_TAGS:
            raise _fault(event, "holds a tag, which is not allowed")
        if depth > DEEPEST:
            raise _fault(event, f"is nested more than {DEEPEST} levels deep")
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(depth))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        return _read_scalar(event)

    def _items(self, depth: int) -> Iterator[Any]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._value(event, depth + 1)

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _fault(event, "holds a key that is not text")
            key = self._key(event)
            if key in found:
                raise _fault(event, f"holds the key {key[:60]!r} twice")
            found[key] = self._value(next(self._events), depth + 1)
        return found

    def _key(self, event: Any) -> str:
        # Keys are names: `on`, `404` and `true` are the text they are written as, whatever they would be as values.
        if event.anchor or event.tag not in _ALLOWED_TAGS:
            raise _fault(event, "holds an anchor or a tag, which are not allowed")
        if event.value == "<<" and event.implicit[0]:
            raise _fault(event, "holds a merge, which is not allowed")
        return str(event.value)


def _read_scalar(event: Any) -> str | int | float | bool | None:
    text: str = event.value
    if not event.implicit[0] or event.tag is not None:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _FRACTION.fullmatch(text) else text


def _fault(event: Any, message: str) -> UnreadableText:
    return UnreadableText(f"line {event.start_mark.line + 1}: {message}")
