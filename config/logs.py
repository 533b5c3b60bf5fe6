"""Logging of every process: one line a record, as text or as JSON, with what its thread works for (the request, the
job, its attempt) and the fields given in `extra`."""

from __future__ import annotations

import logging
import logging.config
import sys
from datetime import UTC, datetime

import orjson

from app.kernel.context import known
from app.kernel.tracing import current_trace_id
from config.settings import Settings

# `data` is Celery's: the whole message once more.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def add_context(record: logging.LogRecord) -> bool:
    """Give a record the fields of the work at hand; those it was given stay."""
    for name, value in known().items():
        vars(record).setdefault(name, value)
    if trace_id := current_trace_id():
        record.trace_id = trace_id
    return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with its extra fields beside the standard ones."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


class TextFormatter(logging.Formatter):
    """A line for eyes: level, logger, message, then the extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the trace under it."""
        extras = "".join(f" {name}={_in_one_word(value)}" for name, value in _extras(record).items())
        line = f"{record.levelname:<7} {record.name}: {_in_one_line(record.getMessage())}{extras}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def _in_one_line(text: str) -> str:
    """Keep what was said from looking like another line."""
    return text if text.isprintable() else text.replace("\r", "\\r").replace("\n", "\\n")


def _in_one_word(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text and text else orjson.dumps(text).decode()


def set_up_logging(settings: Settings, process: str) -> None:
    """Send all records of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if settings.log_format == "json" else TextFormatter())
    handler.addFilter(add_context)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
