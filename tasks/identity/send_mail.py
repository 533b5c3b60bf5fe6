"""Sending a mail: written in one transaction, handed over with none open, noted in another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.identity import Desk, note_sent, write_mail
from app.jobs import Run
from tasks.identity.gateways import Mail
from tasks.tools import Tools


def send_mail(run: Run, mail_id: UUID, tools: Tools) -> dict[str, Any]:
    """Send a mail that was asked for, if there still is a reason; raises as mailers do.

    A worker that is lost between sending and noting sends it twice, under one Message-ID: better than not at all.
    """
    with run.recording() as (session, _job):
        envelope = write_mail(session, mail_id, Desk(tools.public_url, tools.vault))
    if envelope is None:
        return {"sent": False}
    letter = envelope.letter
    tools.mailer.send(Mail(str(envelope.id), envelope.address, letter.subject, letter.text, letter.html))
    with run.recording() as (session, _job):
        note_sent(session, mail_id)
    return {"sent": True}
