"""The outside world of notifications: providers of mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.kernel.addresses import AddressRules
from app.notifications import Opened
from tasks.notifications.gateways import mailgun, postmark, sendgrid
from tasks.notifications.gateways.base import (
    Attachment,
    LoginRefused,
    Mail,
    MailDeferred,
    MailError,
    MailRefused,
    OutcomeUnknown,
    Provider,
    ProviderAway,
    Receipt,
)
from tasks.notifications.gateways.dkim import DkimKey
from tasks.notifications.gateways.mailgun import Mailgun
from tasks.notifications.gateways.message import build_message, write_message
from tasks.notifications.gateways.postmark import Postmark
from tasks.notifications.gateways.sendgrid import SendGrid
from tasks.notifications.gateways.ses import Ses
from tasks.notifications.gateways.smtp import Server, SmtpProvider

Settings = Mapping[str, Any]


def open_provider(opened: Opened, rules: AddressRules) -> Provider:
    """Return the provider of an owner's settings, one that may be sent where `rules` allow."""
    return _OPEN[opened.kind](opened.settings, rules)


def _open_smtp(settings: Settings, rules: AddressRules) -> Provider:
    login = (settings.get("username") or "", settings.get("password") or "")
    server = Server(settings["host"], settings["port"], settings["security"], *login)
    return SmtpProvider(server, rules, dkim=_dkim_key(settings))


def _dkim_key(settings: Settings) -> DkimKey | None:
    if "dkim_domain" not in settings:
        return None
    return DkimKey(settings["dkim_domain"], settings["dkim_selector"], settings["dkim_private_key"])


def _open_sendgrid(settings: Settings, rules: AddressRules) -> Provider:
    return SendGrid(_url(settings, sendgrid.URLS), rules, api_key=settings["api_key"])


def _open_mailgun(settings: Settings, rules: AddressRules) -> Provider:
    return Mailgun(_url(settings, mailgun.URLS), rules, api_key=settings["api_key"], domain=settings["domain"])


def _open_postmark(settings: Settings, rules: AddressRules) -> Provider:
    stream = settings.get("message_stream") or "outbound"
    url = settings.get("base_url") or postmark.URL
    return Postmark(url, rules, server_token=settings["server_token"], message_stream=stream)


def _open_ses(settings: Settings, rules: AddressRules) -> Provider:
    region = settings.get("region") or "us-east-1"
    return Ses(
        settings.get("base_url") or f"https://email.{region}.amazonaws.com",
        rules,
        key_id=settings["aws_access_key_id"],
        secret=settings["aws_secret_access_key"],
        region=region,
        configuration_set=settings.get("configuration_set") or "",
    )


def _url(settings: Settings, urls: Mapping[str, str]) -> str:
    return str(settings.get("base_url") or urls[settings.get("region") or "us"])


_OPEN: Final[Mapping[str, Callable[[Settings, AddressRules], Provider]]] = {
    "smtp": _open_smtp,
    "sendgrid": _open_sendgrid,
    "mailgun": _open_mailgun,
    "postmark": _open_postmark,
    "ses": _open_ses,
}


__all__ = [
    "Attachment",
    "DkimKey",
    "LoginRefused",
    "Mail",
    "MailDeferred",
    "MailError",
    "MailRefused",
    "Mailgun",
    "OutcomeUnknown",
    "Postmark",
    "Provider",
    "ProviderAway",
    "Receipt",
    "SendGrid",
    "Server",
    "Ses",
    "SmtpProvider",
    "build_message",
    "open_provider",
    "write_message",
]
