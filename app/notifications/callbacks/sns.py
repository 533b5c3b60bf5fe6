"""Messages of Amazon SNS, signed by a certificate that is fetched from Amazon
(https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from app.notifications.callbacks.base import LONGEST_KEY, LONGEST_URL, Unreadable, Unsigned, line_of, map_of, parse

NOTIFICATION: Final = "Notification"
CONFIRMATION: Final = "SubscriptionConfirmation"
_HOST: Final = re.compile(r"sns\.[a-z]{2}(-[a-z]+)+-[0-9]\.amazonaws\.com(\.cn)?")
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
# Version 1 is what a topic has unless its owner chooses; a second preimage of SHA-1 is out of anybody's reach.
_HASHES: Final[Mapping[str, SHA1 | SHA256]] = {"1": SHA1(), "2": SHA256()}  # noqa: S303


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message of a topic. Nothing of it is true before `verify` says so, but that its addresses are Amazon's."""

    type: str
    id: str
    message: str
    certificate_url: str
    subscribe_url: str
    signed: bytes
    signature: str
    version: str


def read(settings: Mapping[str, Any], body: bytes) -> Envelope | None:
    """Return the message that a request holds, None for one of no interest. Raises Unreadable, and Unsigned for one of
    another topic, or that leads elsewhere than to Amazon."""
    said = map_of(parse(body))
    kind = line_of(said.get("Type"))
    if not kind:
        raise Unreadable("SNS says what it sends as Type.")
    if not settings.get("topic_arn") or said.get("TopicArn") != settings["topic_arn"]:
        raise Unsigned
    if kind not in _SIGNED:
        return None
    urls = [line_of(said.get(name), LONGEST_URL) for name in ("SigningCertURL", "SubscribeURL")]
    if not all(_is_trusted(url, settings) for url in urls if url) or not _is_certificate(urls[0]):
        raise Unsigned
    lines = [(name, said[name]) for name in _SIGNED[kind] if isinstance(said.get(name), str)]
    signed = "".join(f"{name}\n{value}\n" for name, value in lines).encode(errors="replace")
    signature, version = (line_of(said.get(name), LONGEST_URL) for name in ("Signature", "SignatureVersion"))
    message_id = line_of(said.get("MessageId"), LONGEST_KEY)
    return Envelope(kind, message_id, str(said.get("Message", "")), urls[0], urls[1], signed, signature, version)


def verify(envelope: Envelope, pem: str, now: float) -> None:
    """Raise Unsigned where the certificate's holder has not signed a message, or it is not valid now."""
    try:
        certificate = load_pem_x509_certificate(pem.encode())
        key, digest = certificate.public_key(), _HASHES[envelope.version]
        moment = datetime.fromtimestamp(now, UTC)
        is_valid = certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc
        if not is_valid or not isinstance(key, RSAPublicKey):
            raise Unsigned
        key.verify(base64.b64decode(envelope.signature, validate=True), envelope.signed, PKCS1v15(), digest)
    except (InvalidSignature, ValueError, KeyError) as error:
        raise Unsigned from error


def _is_certificate(url: str) -> bool:
    """Whether an address of Amazon's is that of a certificate: what its API answers there, others may have written."""
    parts = urlsplit(url)
    return parts.path.endswith(".pem") and not parts.query


def _is_trusted(url: str, settings: Mapping[str, Any]) -> bool:
    """Whether an address is Amazon's, or that of the service which the owner has instead of Amazon's."""
    try:
        parts, own = urlsplit(url), urlsplit(settings.get("base_url") or "")
        if own.netloc:
            return (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        return parts.scheme == "https" and bool(_HOST.fullmatch(parts.netloc))
    except ValueError:
        return False
