"""Writing the mails of a notification, one to each recipient."""

from __future__ import annotations

from collections.abc import Sequence

from app.notifications import Notification, Opened, Recipient, fallback_of, unsubscribe_link
from tasks.notifications.gateways import Attachment, Mail
from tasks.tools import Tools


class Writer:
    """What all mails of a notification have in common; `copies` are who gets one openly, and blindly."""

    def __init__(
        self,
        notification: Notification,
        copies: tuple[tuple[str, ...], tuple[str, ...]],
        attachments: Sequence[Attachment],
        tools: Tools,
    ) -> None:
        self._notification = notification
        self._cc, self._bcc = copies
        self._attachments = attachments
        self._tools = tools

    def write(self, recipient: Recipient, opened: Opened) -> Mail:
        """Return the mail to a recipient by a provider."""
        asked = self._notification
        said = fallback_of(asked) if recipient.is_fallback else _said(asked)
        link = None
        if asked.can_unsubscribe:
            link = unsubscribe_link(self._tools.vault, self._tools.public_url, recipient.id)
        return Mail(
            id=str(recipient.id),
            sender=asked.from_email or opened.default_from_email,
            sender_name=asked.from_name or opened.default_from_name,
            recipient=recipient.mail_address,
            subject=str(said["subject"]),
            text=said["text"],
            html=said["html"],
            reply_to=asked.reply_to,
            cc=self._cc,
            bcc=self._bcc,
            unsubscribe=link,
            attachments=self._attachments,
        )


def _said(asked: Notification) -> dict[str, str | None]:
    return {"subject": asked.subject, "html": asked.html, "text": asked.text}
