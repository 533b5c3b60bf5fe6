"""Realtime: the process that serves streams.

It receives the sockets of clients from the API, which has judged them, and writes server-sent events to them; or it
speaks WebSocket with them, and judges itself what they say. One reader follows the live events for all, the rows are
the truth, and a client's queue is its place in the topic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.realtime.admission import Callers
from app.realtime.listener import Right
from app.realtime.process import LiveEvents, Parts, run_streams
from app.realtime.readings import LogPage, LogReader
from app.realtime.rights import Ended

if TYPE_CHECKING:
    from app.realtime.routes import blueprints

__all__ = ["Callers", "Ended", "LiveEvents", "LogPage", "LogReader", "Parts", "Right", "blueprints", "run_streams"]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone.
    if name == "blueprints":
        return import_module("app.realtime.routes").blueprints
    raise AttributeError(name)
