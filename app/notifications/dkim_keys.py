"""Keys by which a domain signs its mails (RFC 6376), as their owner gives them. Pure."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

# What verifiers must take (RFC 8301, 3.2).
LEAST_BITS: Final = 1024
MOST_BITS: Final = 4096


def find_key_fault(text: str) -> str | None:
    """Return why a text is no key to sign mails by, or None."""
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "is no private key in PEM without a password"
    if not isinstance(key, RSAPrivateKey) or not LEAST_BITS <= key.key_size <= MOST_BITS:
        return f"is no RSA key of {LEAST_BITS} to {MOST_BITS} bits"
    return None
