"""What starts a run from outside: payloads of code hosts to one kind of event, events against the triggers of a
definition, and the signatures that prove who sent them.

Pure: no IO, no Flask, no SQLAlchemy. All input is hostile: whatever a payload holds or lacks, a parser returns an
event.
"""

from app.pipelines.triggers.event import Kind, Provider, RepositoryEvent
from app.pipelines.triggers.hosts import HOSTS, Host
from app.pipelines.triggers.matching import Verdict, find_skip_reason, judge, judge_all, judge_finished
from app.pipelines.triggers.payload import MalformedPayload, read_payload
from app.pipelines.triggers.signatures import is_signed, make_secret

__all__ = [
    "HOSTS",
    "Host",
    "Kind",
    "MalformedPayload",
    "Provider",
    "RepositoryEvent",
    "Verdict",
    "find_skip_reason",
    "is_signed",
    "judge",
    "judge_all",
    "judge_finished",
    "make_secret",
    "read_payload",
]
