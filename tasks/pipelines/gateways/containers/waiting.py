"""Waiting for an engine on behalf of a step: its cancel is looked for meanwhile, and its clock."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tasks.pipelines.gateways.sandbox.base import Ending, ShouldStop


class Stopped(Exception):
    """The step was to end before its container ran."""

    def __init__(self, ended: Ending, seconds: float) -> None:
        super().__init__(ended)
        self.ended = ended
        self.seconds = seconds


@dataclass(slots=True)
class Waiting:
    """Called while an engine is waited for, from now on; raises Stopped unless it is told to be patient."""

    should_stop: ShouldStop
    seconds: float
    patient: bool = False
    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> None:
        stop, elapsed = self.should_stop(), time.monotonic() - self.began
        if self.patient:
            return
        if stop:
            raise Stopped("cancelled", elapsed)
        if elapsed > self.seconds:
            raise Stopped("timed_out", elapsed)
