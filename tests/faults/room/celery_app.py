"""The workers' and beat's Celery application with the harness's deeds, which are imported first.

With FAULTS_CLOCK_SKEW (seconds) the whole process believes in another time of day than the machine.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from datetime import UTC, datetime, timedelta

import time_machine

from tests.faults.room import deeds
from tests.faults.room.intents import Tick
from workers.beat import ACCEPT_DUE, PERIODS
from workers.celery_app import app

__all__ = ["app", "deeds"]

TICK = timedelta(seconds=2)

PERIODS[Tick.kind] = TICK
app.conf.beat_schedule |= {
    Tick.kind: {"task": ACCEPT_DUE, "schedule": TICK, "args": (Tick.kind,), "options": {"queue": "default"}}
}

# A second after its hand-over the broker takes back what is not acknowledged: jobs are longer than that.
app.conf.broker_transport_options |= {"visibility_timeout": 1}

# What a process that does not stop is doing, it can be asked.
faulthandler.register(signal.SIGUSR2)

if skew := float(os.environ.get("FAULTS_CLOCK_SKEW", "0")):
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=skew), tick=True).start()
