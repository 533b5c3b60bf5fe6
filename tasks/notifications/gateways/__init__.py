"""The outside world of notifications: providers of mail."""

from __future__ import annotations

from app.kernel.addresses import AddressRules
from app.notifications import Opened
from tasks.notifications.gateways.base import (
    LoginRefused,
    MailDeferred,
    MailError,
    MailRefused,
    Outgoing,
    Provider,
    ProviderAway,
    Receipt,
)
from tasks.notifications.gateways.message import Writing, build_message
from tasks.notifications.gateways.smtp import Server, SmtpProvider


def open_provider(opened: Opened, rules: AddressRules) -> Provider:
    """Return the provider of an owner's settings."""
    settings = opened.settings
    server = Server(
        settings["host"],
        settings["port"],
        settings["security"],
        settings.get("username") or "",
        settings.get("password") or "",
    )
    return SmtpProvider(server, rules)


__all__ = [
    "LoginRefused",
    "MailDeferred",
    "MailError",
    "MailRefused",
    "Outgoing",
    "Provider",
    "ProviderAway",
    "Receipt",
    "Server",
    "SmtpProvider",
    "Writing",
    "build_message",
    "open_provider",
]
