"""The Celery application of the platform's worker with the kind of job of `bench.noop`, which is imported first."""

import bench.noop
from workers.celery_app import app

__all__ = ["app", "noop"]

noop = bench.noop
