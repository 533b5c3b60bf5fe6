"""Masking: secrets never reach a log, in clear or in the encodings that tools commonly print."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

MASK = b"***"
SHORTEST = 4

_UNESCAPED_BY_SCRIPTS = "!'()*"  # what JavaScript's encodeURIComponent leaves as it is
_LEAST_BASE64 = 6
_STABLE_BASE64 = 8
_WRAPPED_AT = (76, 64)  # base64 and openssl
_REST_OF_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{0,3}={0,2}")
_LONGEST_REST = 5


@dataclass(frozen=True, slots=True)
class _Form:
    """Bytes to look for; in base64 a neighbouring character or three also tell of the secret."""

    text: bytes
    before: int = 0
    has_rest: bool = False


class Masker:
    """Replaces secret values in complete lines of output.

    Looked for are the value, its lines one by one (output comes in lines), and the value in base64, also inside a
    longer text or wrapped, URL-encoded, and escaped as in JSON. Values and lines shorter than four characters are left
    alone: masking them would blank the log and hide nothing. `longest` is the most bytes that one mask may cover.

    Each form is searched for by itself: that takes a fifth of a nanosecond a byte, and one regular expression of them
    all takes ten to a hundred.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms = tuple({form.text: form for secret in secrets for form in _forms_of(secret)}.values())
        self.longest = max((len(form.text) + form.before + _LONGEST_REST for form in self._forms), default=0)

    def mask(self, output: bytes) -> bytes:
        """Return the output with every secret replaced; secrets that overlap become one mask."""
        found = [form for form in self._forms if form.text in output]
        if not found:
            return output
        pieces, shown_to = [], 0
        for start, end in _joined(sorted(span for form in found for span in _spans(form, output))):
            pieces += [output[shown_to:start], MASK]
            shown_to = end
        return b"".join((*pieces, output[shown_to:]))


def _spans(form: _Form, output: bytes) -> Iterator[tuple[int, int]]:
    at = output.find(form.text)
    while at >= 0:
        end = at + len(form.text)
        rest = _REST_OF_BASE64.match(output, end) if form.has_rest else None
        yield max(at - form.before, 0), rest.end() if rest else end
        at = output.find(form.text, at + 1)


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield spans in order, those that overlap as one."""
    begin = reach = -1
    for start, end in spans:
        if start >= reach:
            if reach >= 0:
                yield begin, reach
            begin = start
        reach = max(reach, end)
    if reach >= 0:
        yield begin, reach


def _forms_of(secret: str) -> Iterator[_Form]:
    if len(secret.strip()) < SHORTEST:
        return
    for text in {secret, secret.strip()}:
        yield from map(_Form, filter(_is_one_line, _written_forms(text)))
        yield from _base64_forms(text.encode(errors="replace"))
    for line in secret.splitlines():
        if len(line.strip()) >= SHORTEST:
            yield _Form(line.strip().encode(errors="replace"))


def _is_one_line(text: bytes) -> bool:
    return b"\n" not in text


def _written_forms(text: str) -> Iterator[bytes]:
    yield text.encode(errors="replace")
    for escaped in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        yield escaped[1:-1].encode(errors="replace")
    for safe in ("", "/", _UNESCAPED_BY_SCRIPTS):
        for encoded in (quote(text, safe=safe, errors="replace"), quote_plus(text, safe=safe, errors="replace")):
            yield encoded.encode()
            yield re.sub(r"%..", lambda match: match.group().lower(), encoded).encode()


def _base64_forms(value: bytes) -> Iterator[_Form]:
    """What of a value stands in base64 at each of the three places where it may start in a longer text."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        if len(value) < _LEAST_BASE64:
            yield _Form(encode(value).rstrip(b"="), has_rest=True)
            yield _Form(encode(value + b"\n").rstrip(b"="))
        for offset, begin in enumerate((0, 2, 3)):
            encoded = encode(b"\0" * offset + value)
            whole = len(encoded) - (4 if (len(value) + offset) % 3 else 0)
            if whole - begin >= _STABLE_BASE64:
                yield _Form(encoded[begin:whole], before=min(offset, 1), has_rest=True)
        yield from _wrapped(encode(value))


def _wrapped(encoded: bytes) -> Iterator[_Form]:
    """Each line of base64 that a tool has wrapped, where the value is all there is to encode."""
    for width in _WRAPPED_AT:
        lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]
        if len(lines) > 1:
            yield from (_Form(line.rstrip(b"="), has_rest=True) for line in lines if len(line) >= _STABLE_BASE64)
