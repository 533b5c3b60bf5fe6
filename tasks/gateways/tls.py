"""TLS to servers of others: whom to trust, and which certificate to show."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.gateways.errors import CertificateRefused


def make_tls(
    ca: str | None = None, *, certificate: str | None = None, key: str | None = None, verify: bool = True
) -> ssl.SSLContext:
    """Return a context that trusts `ca` alone, or the system's authorities without one; all are PEM.

    Raises CertificateRefused where they cannot be used.
    """
    try:
        context = ssl.create_default_context(cadata=ca)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate and key:
            with _as_file(certificate + "\n" + key) as path:
                context.load_cert_chain(path)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise CertificateRefused("The certificates to connect with cannot be used.", step="tls") from error
    return context


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path at which OpenSSL can read a private key, which it takes from files only: in memory where that exists."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("key"), "w") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile("w", prefix="key-") as file:
        file.write(text)
        file.flush()
        yield file.name
