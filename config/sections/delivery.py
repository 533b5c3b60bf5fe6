"""What leaves the platform, and how long it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from config.declaring import setting


@dataclass(frozen=True)
class DeliverySettings:
    """Mails, messages and webhooks."""

    smtp_url: str = setting(
        "",
        "where mails go: `smtp://user:password@host:587` (STARTTLS), `smtps://…` (TLS) or `smtp+plain://…` (neither); "
        "without it they are written to `DATA_DIR/mail` in development, and fail in production",
        secret=True,
    )
    mail_from: str = setting("Headrace <headrace@localhost>", "whom mails are from")
    dkim_domain: str = setting(
        "", "the domain that signs these mails (DKIM), where the mail server does not: MAIL_FROM's"
    )
    dkim_selector: str = setting("", "the public key of it is at `SELECTOR._domainkey.DOMAIN`")
    dkim_private_key: str = setting("", "its private key, RSA in PEM", secret=True)
    message_retention_days: int = setting(365, "days messages are kept where an application says nothing; 0: for ever")
    attachment_bytes: int = setting(25 * 1024**2, "largest file that a message of a room carries")
    attachment_client_bytes: int = setting(10 * 1024**3, "all such files of one client application")
    attachment_user_bytes: int = setting(1024**3, "of these, all that one of its users has brought")
    notification_days: int = setting(90, "days notifications are kept after their end; 0: for ever")
    webhook_timeout_seconds: float = setting(15.0, "how long the receiver of a webhook may take to answer")
    webhook_schedule: str = setting("5,300,1800,7200,18000,36000,36000", "seconds before each further try of a webhook")
    webhook_disable_seconds: int = setting(432_000, "after how long without a success a webhook is turned off")
    webhook_ports: str = setting("", "ports of webhooks, as `443,8000-8999`; else those of docs/webhooks.md")
    webhook_days: int = setting(30, "how long deliveries of webhooks are kept")
