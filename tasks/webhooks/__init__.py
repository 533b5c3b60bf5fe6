"""What workers do for webhooks: deliver, and what goes with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from app.jobs import Run
from app.kernel.clock import utc_now
from app.webhooks import (
    MakeDigests,
    PruneWebhooks,
    Replayed,
    ReplayEvents,
    SendDelivery,
    SweepWebhooks,
    forget_old_deliveries,
    owed_digests,
    replay_page,
    write_digest,
)
from tasks.forgetting import forget_all
from tasks.handling import handles
from tasks.tools import Tools
from tasks.webhooks.single import send_now
from tasks.webhooks.sweeping import sweep

# A platform that was away for days, or an endpoint that was off, is told of those all the same.
DIGEST_DAYS: Final = 7


@handles(SweepWebhooks)
def sweep_webhooks(run: Run, _: SweepWebhooks, tools: Tools) -> dict[str, Any]:
    """Deliver all that is due."""
    return sweep(run, tools)


@handles(SendDelivery)
def send_delivery(run: Run, intent: SendDelivery, tools: Tools) -> dict[str, Any]:
    """Try one delivery now."""
    return send_now(run, intent.delivery_id, tools)


@handles(ReplayEvents)
def replay_events(run: Run, intent: ReplayEvents, _: Tools) -> dict[str, Any]:
    """Deliver the events of a time again."""
    since, until = (datetime.fromisoformat(text) for text in (intent.since, intent.until))
    so_far = Replayed()
    while not so_far.is_over:
        run.check()
        with run.adding() as session:
            so_far = replay_page(session, intent.webhook_id, since, until, so_far, only_missing=intent.only_missing)
    return {"written": so_far.written, "again": so_far.again}


@handles(MakeDigests)
def make_digests(run: Run, _: MakeDigests, __: Tools) -> dict[str, Any]:
    """Tell ordered endpoints what there was for them yesterday, and on days before of which nobody told them; the rest
    of the day finds nothing left to do."""
    today = utc_now().astimezone(UTC).date()
    digests = pages = 0
    for day in (today - timedelta(days=ago) for ago in range(DIGEST_DAYS, 0, -1)):
        with run.reading() as session:
            owed = owed_digests(session, day)
        for webhook_id in owed:
            run.check()
            with run.adding() as session:
                pages += write_digest(session, webhook_id, day)
        digests += len(owed)
    return {"digests": digests, "pages": pages}


@handles(PruneWebhooks)
def prune_webhooks(run: Run, _: PruneWebhooks, tools: Tools) -> dict[str, Any]:
    """Forget old deliveries."""
    return {"deliveries": forget_all(run, partial(forget_old_deliveries, days=tools.webhooks.days))}
