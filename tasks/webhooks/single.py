"""One delivery, tried now because somebody asks."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.kernel.errors import Transient
from app.webhooks import DELIVERING, Answer, Delivery, DeliveryGone, Order, left_of_lease, record, take_one
from tasks.patience import patiently
from tasks.tools import Tools
from tasks.webhooks.gateways import Receivers

LEASE_MARGIN: Final = 15.0


class OnItsWay(Transient):
    """This delivery is on its way now."""

    code = "DELIVERY_ON_ITS_WAY"


def send_now(run: Run, delivery_id: UUID, tools: Tools) -> dict[str, Any]:
    """Try a delivery, whether it has ended or not, and tell what was answered. Raises DeliveryGone, OnItsWay."""
    receivers = Receivers(tools.webhooks.destinations, tools.webhooks.patience.timeout)
    order = _begin(run, delivery_id, tools)
    try:
        answer = receivers.send(order)
    finally:
        receivers.close()
    patiently(run, lambda: _record(run, answer, tools))
    return {
        "delivery_id": str(delivery_id),
        "delivered": answer.is_success,
        "response_status": answer.status,
        "response_time": round(answer.milliseconds, 1),
        "response_body": answer.body,
        "error": answer.error,
    }


def _begin(run: Run, delivery_id: UUID, tools: Tools) -> Order:
    with run.adding() as session:
        delivery = session.get(Delivery, delivery_id)
        if delivery is None:
            raise DeliveryGone
        if delivery.status == DELIVERING and (left := left_of_lease(session, delivery)) > 0:
            raise OnItsWay(retry_after=left + 1)
        if delivery.finished_at is not None:
            delivery.tries = 0
            session.flush()
        return take_one(session, tools.vault, delivery, tools.webhooks.patience.timeout + LEASE_MARGIN)


def _record(run: Run, answer: Answer, tools: Tools) -> None:
    with run.adding() as session:
        record(session, [answer], tools.webhooks.patience)
