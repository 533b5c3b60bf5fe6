"""The Celery application of the platform's worker with the measurements' own jobs, which are imported first."""

from bench import noop, stubborn
from workers.celery_app import app

__all__ = ["app", "noop", "stubborn"]
