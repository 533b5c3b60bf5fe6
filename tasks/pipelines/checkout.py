"""Bringing the source of an execution into a stage's workplace."""

from __future__ import annotations

from app.jobs import Stoppable
from app.pipelines import Briefing
from tasks.pipelines.gateways.base import CheckoutRequest, GitCredentials, Source
from tasks.pipelines.workplace import Workplace

MOST_SECONDS = 900.0
MOST_BYTES = 4 * 1024**3


def checkout(
    run: Stoppable, source: Source, briefing: Briefing, login: GitCredentials | None, place: Workplace, seconds: float
) -> list[str]:
    """Check out the execution's commit and return what there is to say of it, line by line."""
    done = source.checkout(
        CheckoutRequest(
            briefing.repository_url,
            branch=briefing.branch,
            commit_sha=briefing.commit_sha,
            into=place.root,
            timeout=min(seconds, MOST_SECONDS),
            max_bytes=MOST_BYTES,
            ref=briefing.fetch_ref,
            credentials=login,
        ),
        run.check,
    )
    place.prepare()
    first = done.message.splitlines()[0] if done.message else ""
    return [f"Checked out {done.commit_sha} of {briefing.branch or briefing.tag}: {first}"]
