"""The job: the row that a 202 promises. Rooms accept one beside the thing it concerns; workers claim it by
compare-and-swap, beat while they run it, and end it once, in the transaction of its effect. The row is its own outbox:
messages to the broker are hints that may be lost or doubled. What follows from a job's end is registered with `follow`.
"""

from app.jobs.bulk import begin_bulk, move_in_bulk, next_in_bulk, pass_over, result_of
from app.jobs.claiming import (
    Beat,
    Claim,
    advance,
    beat,
    claim,
    fail_or_retry,
    give_back,
    hold,
    hold_attempt,
    look,
    park,
    take,
)
from app.jobs.errors import Cancelled, HandedBack, JobEnded, JobNotRetryable, LeaseLost, WorkerLost
from app.jobs.failures import function_of, identify
from app.jobs.guarding import Standing, end_killed, find_standings
from app.jobs.history import act_as, acting_user, history_lines, make_history_partitions, old_history
from app.jobs.intents import MoveJobs, PruneHistory
from app.jobs.models import CANCELLED, FAILED, FINAL, QUEUED, RUNNING, STATUSES, SUCCEEDED, Job, JobBulk, topic_of
from app.jobs.origin import carrying_on
from app.jobs.places import RUNNERS, forget_places, let_in_all, position_of, set_places
from app.jobs.queries import visible_jobs
from app.jobs.repair import count_waiting, expired, mark_unsent, prune, reap, take_unsent
from app.jobs.running import Run, Stoppable
from app.jobs.sending import Sender, send_accepted, send_or_mark
from app.jobs.service import Hint, accept, cancel, end, lock, queue_again, retry
from app.jobs.subjects import follow
from app.jobs.totals import fold_changes
from app.jobs.watch import keep_watch

__all__ = [
    "CANCELLED",
    "FAILED",
    "FINAL",
    "QUEUED",
    "RUNNERS",
    "RUNNING",
    "STATUSES",
    "SUCCEEDED",
    "Beat",
    "Cancelled",
    "Claim",
    "HandedBack",
    "Hint",
    "Job",
    "JobBulk",
    "JobEnded",
    "JobNotRetryable",
    "LeaseLost",
    "MoveJobs",
    "PruneHistory",
    "Run",
    "Sender",
    "Standing",
    "Stoppable",
    "WorkerLost",
    "accept",
    "act_as",
    "acting_user",
    "advance",
    "beat",
    "begin_bulk",
    "cancel",
    "carrying_on",
    "claim",
    "count_waiting",
    "end",
    "end_killed",
    "expired",
    "fail_or_retry",
    "find_standings",
    "fold_changes",
    "follow",
    "forget_places",
    "function_of",
    "give_back",
    "history_lines",
    "hold",
    "hold_attempt",
    "identify",
    "keep_watch",
    "let_in_all",
    "lock",
    "look",
    "make_history_partitions",
    "mark_unsent",
    "move_in_bulk",
    "next_in_bulk",
    "old_history",
    "park",
    "pass_over",
    "position_of",
    "prune",
    "queue_again",
    "reap",
    "result_of",
    "retry",
    "send_accepted",
    "send_or_mark",
    "set_places",
    "take",
    "take_unsent",
    "topic_of",
    "visible_jobs",
]
