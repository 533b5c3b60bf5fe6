"""Checking requests of providers whose certificate was not here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.jobs import Run
from app.kernel.clock import utc_now
from app.notifications import find_unchecked, forget_callback, settle_callback
from tasks.notifications.gateways.sns import visit
from tasks.tools import Tools


def settle(run: Run, callback_id: UUID, tools: Tools) -> dict[str, Any]:
    """Fetch a request's certificate; if it is signed, confirm the subscription that it asks for, or apply what it says.
    Raises ProviderAway."""
    with run.adding() as session:
        unchecked = find_unchecked(session, tools.vault, callback_id)
    if unchecked is None:
        return {"signed": False}
    rules = tools.webhooks.destinations.addresses
    pem = visit(unchecked.certificate_url, rules)
    if not unchecked.is_signed(pem, utc_now().timestamp()):
        with run.adding() as session:
            forget_callback(session, unchecked)
        return {"signed": False}
    if unchecked.subscribe_url:
        visit(unchecked.subscribe_url, rules)
    with run.adding() as session:
        return {"signed": True, "news": settle_callback(session, unchecked, pem)}
