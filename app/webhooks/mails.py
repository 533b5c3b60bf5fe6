"""The mail that tells somebody that their webhook was turned off."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.identity import AccountMail, Client, Desk, Letter, Membership, User, ask_for_mail, writes_mail
from app.tenancy import Organization
from app.webhooks.models import DISABLED, Webhook

MAIL: Final = "webhook_disabled"
NEXT: Final = (
    "Nothing is sent to it any more. Once its receiver is well, activate it and replay what it has missed, by POST "
    "/api/v1/webhooks/{id}/activate and /replay."
)


def tell_owner(session: Session, webhook: Webhook, reason: str) -> None:
    """Mail whoever made a webhook, or owns its organization where they have left it, that it was turned off; an
    application's contact, if it has one."""
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
    members = select(Membership.user_id).where(Membership.organization_id == webhook.organization_id)
    owner = select(Organization.owner_id).where(Organization.id == webhook.organization_id).scalar_subquery()
    is_still_there = and_(User.id == webhook.created_by, User.id.in_(members))
    told = select(User).where(or_(is_still_there, User.id == owner))
    return session.scalars(told.order_by(User.id == owner).limit(1)).first()


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
