"""Addresses of mail, as RFC 5321 has them and without what would let their writer add headers or recipients. Pure."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 254
_ADDRESS: Final = re.compile(
    r"(?P<local>[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64})@(?P<domain>[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*)"
)


def find_address_fault(text: str) -> str | None:
    """Return why a text is no address, or None. Names beside addresses, quoted local parts and addresses that are not
    ASCII are refused: not every server on the way takes them."""
    found = _ADDRESS.fullmatch(text)
    if found is None or len(text) > LONGEST:
        return "is no email address such as ann@example.com"
    if found["local"].startswith(".") or found["local"].endswith(".") or ".." in found["local"]:
        return "is no email address: dots stand between other characters"
    return None


def fold(address: str) -> str:
    """Return what addresses are compared by: no provider of today tells them apart by case."""
    return address.lower()
