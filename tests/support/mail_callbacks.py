"""What providers say of mails afterwards, in the form that each documents, signed as each signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_numbers = count(1)

MOMENT = "2026-01-31T12:00:00.000Z"
SECONDS = 1769860800
TOPIC = "arn:aws:sns:eu-central-1:123456789012:mails"
SIGNING_KEY = "a-signing-key-of-mailgun"
CALLBACK_PASSWORD = "a-password-in-an-address"
CERTIFICATE = "/SimpleNotificationService-1.pem"
CONFIRM = "/confirm"
REASON = "550 5.1.1 no such user"


@dataclass(frozen=True)
class Request:
    """What is posted."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Teller:
    """A kind of provider: what it is told for its callbacks, and how it tells that something has become of a mail."""

    kind: str
    config: Mapping[str, str]
    tell: Callable[..., Request]


@cache
def _sendgrid_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _public_key() -> str:
    public = _sendgrid_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(public).decode()


def sendgrid(happened: str, mail_id: str, address: str, **more: Any) -> Request:
    """SendGrid's list of events."""
    names = {"delivered": "delivered", "bounced": "bounce", "opened": "open", "clicked": "click"}
    names |= {"complained": "spamreport", "deferred": "deferred"}
    event = {"email": address, "timestamp": SECONDS, "event": names[happened], "mail_id": mail_id}
    event |= {"sg_event_id": f"event-{next(_numbers)}", "sg_message_id": "14c5d75ce93.filter.0"}
    if happened == "bounced":
        event |= {"type": "bounce", "reason": REASON}
    body = json.dumps([event | more]).encode()
    signature = _sendgrid_key().sign(str(SECONDS).encode() + body, ec.ECDSA(SHA256()))
    return Request(
        body,
        {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": str(SECONDS),
        },
    )


def mailgun(happened: str, mail_id: str, address: str, *, stamp: int | None = None, **more: Any) -> Request:
    """Mailgun's event, with its signature beside it."""
    name = {"bounced": "failed", "deferred": "failed"}.get(happened, happened)
    event: dict[str, Any] = {"event": name, "id": f"event-{next(_numbers)}", "timestamp": SECONDS + 0.5}
    event |= {"recipient": address, "message": {"headers": {"message-id": f"{mail_id}@shop.example"}}}
    if happened == "bounced":
        event |= {"severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550, "message": REASON}}
    if happened == "deferred":
        event |= {"severity": "temporary", "reason": "generic"}
    stamp, token = stamp or int(time.time()), f"token-{next(_numbers)}"
    signature = hmac.new(SIGNING_KEY.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": str(stamp), "token": token, "signature": signature}
    return Request(json.dumps({"signature": signed, "event-data": event | more}).encode())


def postmark(happened: str, mail_id: str, address: str, **more: Any) -> Request:
    """Postmark's event; the password comes from the address it was given."""
    names = {"delivered": "Delivery", "bounced": "Bounce", "opened": "Open", "clicked": "Click", "deferred": "Bounce"}
    names |= {"complained": "SpamComplaint"}
    times = {"Delivery": "DeliveredAt", "Bounce": "BouncedAt", "SpamComplaint": "BouncedAt"}
    record = names[happened]
    event: dict[str, Any] = {"RecordType": record, "MessageID": "0198", "Metadata": {"mail-id": mail_id}}
    event |= {times.get(record, "ReceivedAt"): f"2026-01-31T07:00:{next(_numbers) % 60:02}.2735393-05:00"}
    event |= {"Email" if "Bounced" in times.get(record, "") else "Recipient": address, "ID": next(_numbers)}
    if record == "Bounce":
        event |= {"Type": "HardBounce" if happened == "bounced" else "Transient", "Details": REASON}
    login = base64.b64encode(f"headrace:{CALLBACK_PASSWORD}".encode()).decode()
    return Request(json.dumps(event | more).encode(), {"Authorization": f"Basic {login}"})


def ses(happened: str, mail_id: str, address: str, *, url: str, **more: Any) -> Request:
    """SES's event in a message of SNS, whose certificate is at `url`."""
    names = {"delivered": "Delivery", "bounced": "Bounce", "opened": "Open", "clicked": "Click"}
    names |= {"complained": "Complaint", "deferred": "DeliveryDelay"}
    one = [{"emailAddress": address, "diagnosticCode": REASON}]
    told: dict[str, Any] = {
        "delivered": {"delivery": {"timestamp": MOMENT, "recipients": [address]}},
        "bounced": {"bounce": {"bounceType": "Permanent", "timestamp": MOMENT, "bouncedRecipients": one}},
        "deferred": {"deliveryDelay": {"timestamp": MOMENT, "delayedRecipients": one}},
        "complained": {"complaint": {"timestamp": MOMENT, "complainedRecipients": one}},
        "opened": {"open": {"timestamp": MOMENT}},
        "clicked": {"click": {"timestamp": MOMENT, "link": "https://shop.example/"}},
    }[happened]
    mail = {"messageId": "0100018f", "destination": [address], "tags": {"mail_id": [mail_id]}}
    message = json.dumps({"eventType": names[happened], "mail": mail, **told})
    return sns({"Type": "Notification", "Message": message, **more}, url)


def sns(said: dict[str, Any], url: str) -> Request:
    """A message of SNS, signed."""
    whole = {"MessageId": f"message-{next(_numbers)}", "TopicArn": TOPIC, "Timestamp": MOMENT, **said}
    order = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    signed = "".join(f"{name}\n{whole[name]}\n" for name in order if name in whole)
    signature = _sns_keys()[0].sign(signed.encode(), PKCS1v15(), SHA256())
    whole = {
        "SignatureVersion": "2",
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": url + CERTIFICATE,
        **whole,
    }
    return Request(json.dumps(whole).encode(), {"Content-Type": "text/plain; charset=UTF-8"})


def confirmation(url: str) -> Request:
    """What SNS sends first: it wants to know whether it may send."""
    said = {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe", "Token": "2336412f37"}
    return sns({**said, "SubscribeURL": f"{url}{CONFIRM}?Token=2336412f37"}, url)


def sns_certificate() -> bytes:
    """The certificate by which `sns` signs."""
    return _sns_keys()[1]


@cache
def _sns_keys() -> tuple[rsa.RSAPrivateKey, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return key, made.sign(key, SHA256()).public_bytes(Encoding.PEM)


TELLERS = {
    one.kind: one
    for one in (
        Teller("sendgrid", {"verification_key": _public_key()}, sendgrid),
        Teller("mailgun", {"signing_key": SIGNING_KEY}, mailgun),
        Teller("postmark", {"callback_password": CALLBACK_PASSWORD}, postmark),
        Teller("ses", {"topic_arn": TOPIC}, ses),
    )
}
