"""Certificates and keys in PEM, as a kubeconfig holds them: whether they can be read, and are good now."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

LONGEST_PEM: Final = 128 * 1024
MOST_CERTIFICATES: Final = 64


def find_authority_fault(pem: str, now: datetime) -> str | None:
    """Return why a bundle of authorities cannot be trusted by, or None. One that is good now is enough: bundles keep
    the old authority beside the new one while it is replaced."""
    certificates = _read_certificates(pem)
    if not certificates:
        return "is not a certificate in PEM"
    if len(certificates) > MOST_CERTIFICATES:
        return f"holds more than {MOST_CERTIFICATES} certificates"
    faults = [_find_time_fault(certificate, now) for certificate in certificates]
    return None if None in faults else faults[0]


def find_client_fault(pem: str, now: datetime) -> str | None:
    """Return why a client certificate, first of its chain, cannot be used, or None."""
    certificates = _read_certificates(pem)
    return _find_time_fault(certificates[0], now) if certificates else "is not a certificate in PEM"


def find_key_fault(pem: str, certificate: str | None) -> str | None:
    """Return why a private key cannot be used, or None; with a certificate, it must be that one's."""
    if len(pem) > LONGEST_PEM:
        return "is too long"
    try:
        public = load_pem_private_key(pem.encode(), password=None).public_key()
    except TypeError:
        return "is protected by a password, which is not allowed"
    except (ValueError, UnsupportedAlgorithm):
        return "is not a private key in PEM"
    if certificate is None:
        return None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    matches = public.public_bytes(*form) == _read_certificates(certificate)[0].public_key().public_bytes(*form)
    return None if matches else "is not the key of the client certificate"


def read_expiry(pem: str) -> datetime | None:
    """Return until when a certificate, first of its chain, is good; None where it is none in PEM."""
    certificates = _read_certificates(pem)
    return certificates[0].not_valid_after_utc if certificates else None


def _read_certificates(pem: str) -> list[x509.Certificate]:
    if len(pem) > LONGEST_PEM:
        return []
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return []


def _find_time_fault(certificate: x509.Certificate, now: datetime) -> str | None:
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {_shown(certificate.not_valid_before_utc)}"
    if now > certificate.not_valid_after_utc:
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return f"is expired: it was valid from {_shown(start)} until {_shown(end)}"
    return None


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
