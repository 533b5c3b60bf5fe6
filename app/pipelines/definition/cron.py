"""When a cron expression is due next, in a time zone.

Evaluated by cronsim, which follows Debian's cron over changes of the clock: a fixed time that does not exist is due as
soon as the gap is over, one that exists twice is due the first time only, and what is due every so many minutes or
hours goes on through both hours.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

DEFAULT_TIMEZONE: Final = "UTC"
# Any moment will do: whether an expression is ever due does not depend on it.
_SOME_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)


def next_tick(expression: str, timezone: str, after: datetime) -> datetime:
    """The first moment after `after` at which the expression is due, in UTC. Both were checked when they were written.

    Raises ValueError for an expression that is never due, or a time zone this machine does not know.
    """
    try:
        local = after.astimezone(ZoneInfo(timezone))
        return next(CronSim(expression, local)).astimezone(UTC)
    except (CronSimError, StopIteration, KeyError, OSError) as error:
        raise ValueError(f"the schedule {expression!r} in {timezone} is never due: {error}") from None


def find_cron_fault(expression: str) -> str | None:
    """What is wrong with an expression of five fields, or None."""
    try:
        next(CronSim(expression, _SOME_TIME))
    except CronSimError as error:
        return f"is no cron expression that is ever due: {str(error).lower()}"
    except StopIteration:
        return "is never due"
    return None


def find_timezone_fault(name: str) -> str | None:
    """What is wrong with the name of a time zone, or None."""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return "is no time zone of the IANA's list, such as Europe/Berlin"
    return None
