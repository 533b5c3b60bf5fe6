"""What providers share that speak HTTP: how they are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, Final, Self
from urllib.parse import urlsplit

import orjson

from app.kernel.addresses import AddressRules
from tasks.gateways import (
    CertificateRefused,
    DestinationRefused,
    HttpClient,
    OutgoingError,
    Reply,
    Timeouts,
    Unreachable,
)
from tasks.notifications.gateways.base import (
    LoginRefused,
    Mail,
    MailError,
    MailRefused,
    OutcomeUnknown,
    ProviderAway,
    Receipt,
    clean,
)

TIMEOUTS: Final = Timeouts(connect=5.0, first_byte=15.0, idle=15.0, whole=30.0)
ANSWER_BYTES: Final = 256 * 1024
JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
KEY_REFUSED: Final = (401, 403)
PASSING: Final = (408, 429)


class HttpProvider:
    """A provider at a base address; those of each kind say how it is asked."""

    name: ClassVar[str] = "The provider"
    can_find: bool = False

    def __init__(self, base_url: str, rules: AddressRules) -> None:
        self._is_open = urlsplit(base_url).scheme != "https" and not rules.allow_loopback
        self._client = HttpClient(base_url, rules=rules, timeouts=TIMEOUTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def find(self, mail: Mail) -> Receipt | None:  # noqa: ARG002 - a provider's
        """Return None: it cannot be asked."""
        return None

    def ask(self, target: str, headers: Mapping[str, str]) -> Any:
        """Return what the provider says, parsed; raises a MailError for anything but a success."""
        return self.read(self._request("GET", target, headers, None, is_sending=False))

    def hand_over(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a mail and return the answer of a provider that took it. Raises OutcomeUnknown where it has the mail and
        says nothing, another MailError where it does not take it."""
        return self._request("POST", target, headers, body, is_sending=True)

    def read(self, reply: Reply) -> Any:
        """Return what an answer says; raises ProviderAway for one that says nothing."""
        try:
            said = orjson.loads(reply.body)
        except orjson.JSONDecodeError as error:
            raise ProviderAway(f"{self.name} answers with something that is not JSON.") from error
        return said if isinstance(said, dict) else {}

    def judge(self, reply: Reply) -> MailError:
        """Return what a refusal means."""
        text = f"{self.name} says {reply.status} {clean(reply.body.decode('utf-8', 'replace'))}"
        if reply.status in KEY_REFUSED:
            return LoginRefused(text)
        if reply.status in PASSING or not 400 <= reply.status <= 499:
            return ProviderAway(text)
        return MailRefused(text)

    def _request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, *, is_sending: bool
    ) -> Reply:
        if self._is_open:
            raise LoginRefused("A key is not sent without encryption.")
        try:
            reply = self._client.request(method, target, headers=headers, body=body, max_bytes=ANSWER_BYTES)
        except OutgoingError as error:
            raise self._judge_failure(error, is_sending=is_sending) from error
        if not 200 <= reply.status <= 299:
            raise self.judge(reply)
        return reply

    def _judge_failure(self, error: OutgoingError, *, is_sending: bool) -> MailError:
        if isinstance(error, DestinationRefused):
            return LoginRefused(error.message)
        never_sent = isinstance(error, CertificateRefused) or "step" in error.details
        if is_sending and not never_sent:
            return OutcomeUnknown(f"{self.name} has the mail, and its answer was lost: {error.message}")
        if isinstance(error, Unreachable | CertificateRefused):
            return ProviderAway(error.message)
        return ProviderAway(f"{self.name} answers with something that cannot be read.")
