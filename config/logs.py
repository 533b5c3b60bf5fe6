"""Logging of every process: one line a record, as text or as JSON, with the fields given in `extra`."""

from __future__ import annotations

import logging
import logging.config
import sys
from datetime import UTC, datetime

import orjson

from config.settings import Settings

# `data` is Celery's: the whole message once more.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


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
        extras = "".join(f" {name}={value}" for name, value in _extras(record).items())
        line = f"{record.levelname:<7} {record.name}: {record.getMessage()}{extras}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def set_up_logging(settings: Settings, process: str) -> None:
    """Send all records of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if settings.log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
