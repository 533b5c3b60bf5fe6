"""Slugs: the names of things in addresses; lower-case letters, digits and single dashes, at most 63."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST_SLUG: Final = 63
SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def make_slug(name: str) -> str:
    """Return the slug of a name; empty when no letter or digit of it is one of ASCII's."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].rstrip("-")
