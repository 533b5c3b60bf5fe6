"""What workers do for accounts."""

from __future__ import annotations

from typing import Any

from app.identity import (
    PruneIdentity,
    SendMail,
    forget_challenges,
    forget_client_keys,
    forget_deleted_clients,
    forget_ended_logins,
    forget_expired_tokens,
    forget_external_logins,
    forget_mail_tokens,
    forget_old_failures,
    forget_old_mails,
    forget_security_events,
    retire_superseded_keys,
)
from app.jobs import Run
from tasks.forgetting import forget_all
from tasks.handling import handles
from tasks.identity.send_mail import send_mail
from tasks.tools import Tools


@handles(PruneIdentity)
def prune_identity(run: Run, _: PruneIdentity, tools: Tools) -> dict[str, Any]:
    """Delete ended logins, expired tokens, old failures and events; retire signing keys that no token needs."""
    with run.recording() as (session, _job):
        retired = retire_superseded_keys(session, tools.access_token_seconds)
    return {
        "retired_keys": retired,
        "logins": forget_all(run, forget_ended_logins),
        "refresh_tokens": forget_all(run, forget_expired_tokens),
        "security_events": forget_all(run, forget_security_events),
        "failures": forget_all(run, forget_old_failures),
        "challenges": forget_all(run, forget_challenges),
        "external_logins": forget_all(run, forget_external_logins),
        "mails": forget_all(run, forget_old_mails),
        "mailed_tokens": forget_all(run, forget_mail_tokens),
        "client_keys": forget_all(run, forget_client_keys),
        "deleted_clients": forget_all(run, forget_deleted_clients),
    }


@handles(SendMail)
def send_one_mail(run: Run, intent: SendMail, tools: Tools) -> dict[str, Any]:
    """Write and send a mail."""
    return send_mail(run, intent.mail_id, tools)
