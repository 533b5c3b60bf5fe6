"""Masking: secrets never reach a log, in clear or in the encodings that tools commonly print."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = b"***"
SHORTEST = 4


class Masker:
    """Replaces secret values in complete lines of output.

    A value of several lines is masked line by line, since output is. Values (or their lines) shorter than four
    characters are left alone: masking them would blank the log and hide nothing.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms_of(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self.longest = max(map(len, forms), default=0)
        self._pattern = re.compile(b"|".join(re.escape(form) for form in longest_first)) if forms else None

    def mask(self, output: bytes) -> bytes:
        """Return the output with every secret replaced."""
        return output if self._pattern is None else self._pattern.sub(MASK, output)


def _forms_of(secret: str) -> Iterator[bytes]:
    for part in {secret, *secret.splitlines()}:
        if len(part) >= SHORTEST and "\n" not in part:
            yield from _encodings_of(part)
    if len(secret) >= SHORTEST:
        yield from _base64_forms(secret.encode())


def _encodings_of(part: str) -> Iterator[bytes]:
    yield part.encode()
    yield quote(part, safe="").encode()
    yield quote_plus(part).encode()
    yield from _base64_forms(part.encode())


def _base64_forms(value: bytes) -> Iterator[bytes]:
    """Yield what of the value survives in base64 at each of the three places it may start in a longer text."""
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + value)
            start, cut = (0, 2, 3)[offset], (len(value) + offset) % 3
            stable = encoded[start : len(encoded) - (4 if cut else 0)]
            if len(stable) >= SHORTEST * 2:
                yield stable
