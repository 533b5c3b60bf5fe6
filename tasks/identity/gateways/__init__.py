"""The outside world of accounts: mail."""

from __future__ import annotations

from pathlib import Path

from tasks.identity.gateways.base import Mail, MailAway, Mailer, MailNotConfigured
from tasks.identity.gateways.folder import FolderMailer
from tasks.identity.gateways.nowhere import NowhereMailer
from tasks.identity.gateways.smtp import SmtpMailer, read_dkim_key
from tasks.notifications.gateways import DkimKey, MailRefused


def choose_mailer(smtp_url: str, sender: str, folder: Path | None, dkim: DkimKey | None = None) -> Mailer:
    """Return the mailer of an address, which signs by `dkim`; without one, mails are kept in `folder`, or refused where
    there is none."""
    if smtp_url:
        return SmtpMailer.at(smtp_url, sender, dkim=dkim)
    return FolderMailer(folder, sender) if folder else NowhereMailer()


__all__ = [
    "FolderMailer",
    "Mail",
    "MailAway",
    "MailNotConfigured",
    "MailRefused",
    "Mailer",
    "NowhereMailer",
    "SmtpMailer",
    "choose_mailer",
    "read_dkim_key",
]
