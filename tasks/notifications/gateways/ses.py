"""Amazon SES by its second API (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html); it takes a
mail as it would go over SMTP."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import orjson

from app.kernel.addresses import AddressRules
from app.kernel.clock import utc_now
from tasks.gateways import Reply, sign_aws
from tasks.notifications.gateways.base import LoginRefused, Mail, MailError, ProviderAway, Receipt
from tasks.notifications.gateways.http import HttpProvider
from tasks.notifications.gateways.message import build_message

SEND: Final = "/v2/email/outbound-emails"
SIGNED: Final = "content-type;host;x-amz-content-sha256;x-amz-date"
SETTINGS_FAULTS: Final = ("AccountSuspended", "MailFromDomainNotVerified", "NotFound", "UnrecognizedClient")
PASSING_FAULTS: Final = ("LimitExceeded", "SendingPaused", "TooManyRequests", "Throttling")


class Ses(HttpProvider):
    """Sends in one region. It has no way to be asked for a mail."""

    name: ClassVar[str] = "SES"

    def __init__(
        self, base_url: str, rules: AddressRules, *, key_id: str, secret: str, region: str, configuration_set: str
    ) -> None:
        super().__init__(base_url, rules)
        self._host = urlsplit(base_url).netloc
        self._key_id, self._secret, self._region = key_id, secret, region
        self._configuration_set = configuration_set

    def send(self, mail: Mail) -> Receipt:
        """Hand a mail over; raises a MailError."""
        body = orjson.dumps(self._shape(mail))
        said = self.read(self.hand_over(SEND, self._sign("POST", SEND, body), body))
        return Receipt("taken", said.get("MessageId"))

    def validate(self) -> str:
        """Look up the account; raises a MailError, also for one that may not send."""
        target = "/v2/email/account"
        said = self.ask(target, self._sign("GET", target, b""))
        if not said.get("SendingEnabled"):
            raise ProviderAway("This account may not send in this region.")
        quota = said.get("SendQuota") or {}
        return f"The account may send {quota.get('Max24HourSend', 0):.0f} mails a day."

    def judge(self, reply: Reply) -> MailError:
        """The kind of a fault stands in a header, or in the body; 400 holds passing ones too."""
        error = super().judge(reply)
        kind = reply.headers.get("x-amzn-errortype", "") or clean_kind(reply.body)
        if kind.startswith(SETTINGS_FAULTS):
            return LoginRefused(error.message)
        return ProviderAway(error.message) if kind.startswith(PASSING_FAULTS) else error

    def _shape(self, mail: Mail) -> dict[str, Any]:
        raw = build_message(mail)
        destination = {"ToAddresses": [mail.recipient], "CcAddresses": [*mail.cc], "BccAddresses": [*mail.bcc]}
        return {
            "FromEmailAddress": mail.sender,
            "Destination": {name: some for name, some in destination.items() if some},
            "Content": {"Raw": {"Data": base64.b64encode(raw).decode()}},
            "EmailTags": [{"Name": "mail_id", "Value": mail.id}],
            **({"ConfigurationSetName": self._configuration_set} if self._configuration_set else {}),
        }

    def _sign(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """Return the headers of a request, signed by version 4 (the paths hold nothing to be encoded)."""
        stamp = utc_now().strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._region}/ses/aws4_request"
        digest = hashlib.sha256(body).hexdigest()
        signed = {
            "content-type": "application/json",
            "host": self._host,
            "x-amz-content-sha256": digest,
            "x-amz-date": stamp,
        }
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = hashlib.sha256("\n".join((method, target, "", lines, SIGNED, digest)).encode()).hexdigest()
        signature = sign_aws(self._secret, scope, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}")
        credential = f"Credential={self._key_id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}"
        return {**signed, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}


def clean_kind(body: bytes) -> str:
    """Return the kind of fault that a body names, such as `LimitExceededException`."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    return str(said.get("__type", "")).rpartition("#")[2] if isinstance(said, dict) else ""
