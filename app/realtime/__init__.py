"""Realtime: the process that serves streams.

It receives the sockets of clients whose request the API has judged, and writes server-sent events to them. One reader
follows the live events for all, the rows are the truth, and a client's queue is its place in the topic.
"""

from app.realtime.listener import Right
from app.realtime.process import LiveEvents, Parts, run_streams
from app.realtime.readings import LogPage, LogReader
from app.realtime.rights import Ended

__all__ = ["Ended", "LiveEvents", "LogPage", "LogReader", "Parts", "Right", "run_streams"]
