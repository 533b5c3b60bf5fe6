"""The mailer of an installation that has none."""

from __future__ import annotations

from tasks.identity.gateways.base import Mail, MailNotConfigured


class NowhereMailer:
    """Refuses every mail, so that its job says what is missing."""

    def send(self, mail: Mail) -> None:  # noqa: ARG002 - a mailer's
        """Raise MailNotConfigured."""
        raise MailNotConfigured
