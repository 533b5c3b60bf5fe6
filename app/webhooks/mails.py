"""The mail that tells somebody that their webhook was turned off."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.identity import AccountMail, Client, Desk, Letter, User, ask_for_mail, writes_mail
from app.tenancy import Organization
from app.webhooks.models import DISABLED, Webhook

MAIL: Final = "webhook_disabled"
NEXT: Final = (
    "Nothing is sent to it any more. Once its receiver is well, activate it and replay what it has missed, by POST "
    "/api/v1/webhooks/{id}/activate and /replay."
)


def tell_owner(session: Session, webhook: Webhook, reason: str) -> None:
    """Mail whoever made a webhook, or owns its organization, that it was turned off; an application's contact, if it
    has one."""
    details = {"webhook_id": str(webhook.id), "reason": reason}
    if webhook.client_id is not None:
        client = session.get(Client, webhook.client_id)
        if client is not None and client.contact_email:
            ask_for_mail(session, MAIL, client.contact_email, None, **details)
        return
    user = _find_user(session, webhook)
    if user is not None:
        ask_for_mail(session, MAIL, user.email, user.id, **details)


def _find_user(session: Session, webhook: Webhook) -> User | None:
    maker = session.get(User, webhook.created_by) if webhook.created_by else None
    if maker is not None:
        return maker
    owner = select(Organization.owner_id).where(Organization.id == webhook.organization_id)
    return session.scalars(select(User).where(User.id.in_(owner))).first()


@writes_mail(MAIL)
def write_notice(session: Session, mail: AccountMail, desk: Desk) -> Letter | None:
    """Write the mail; none is needed for a webhook that is gone or on again."""
    webhook = session.get(Webhook, UUID(mail.details["webhook_id"]))
    if webhook is None or webhook.state != DISABLED:
        return None
    return Letter(
        "A webhook was turned off",
        (
            f"The webhook to {webhook.url} was turned off. {mail.details['reason']}",
            NEXT,
        ),
        "The documentation",
        f"{desk.public_url}/docs",
    )
