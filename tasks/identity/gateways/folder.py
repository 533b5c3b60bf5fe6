"""A mailer that keeps mails as files: for development, where nobody has a mail server at hand."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.identity.gateways.base import Mail, MailAway, as_sent
from tasks.notifications.gateways import build_message


class FolderMailer:
    """Writes each mail to `folder` as `ID.eml`, which mail programs open; for its owner only: mails hold tokens."""

    def __init__(self, folder: Path, sender: str) -> None:
        self.folder = folder
        self._sender = sender

    def send(self, mail: Mail) -> None:
        """Keep a mail; the same one again replaces it. Raises MailRefused, or MailAway when the disk takes nothing."""
        content = build_message(as_sent(mail, self._sender))
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self.folder / f".{mail.id}.part"
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            beside.replace(self.folder / f"{mail.id}.eml")
        except OSError as error:
            raise MailAway(f"The mail folder takes nothing: {error.strerror}.") from error
