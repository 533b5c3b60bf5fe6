"""How gunicorn serves the API: a few processes of threads, each of which builds the application for itself.

Nothing is preloaded: connections of the database and of Redis must not be shared by processes.
"""

from __future__ import annotations

import gc
import os
import shutil
from typing import Any

from gunicorn.glogging import Logger

from config.logs import set_up_logging
from config.settings import load_settings

settings = load_settings()
metrics_dir = settings.run_dir.resolve() / "metrics"
# prometheus_client looks for it when it is first imported, which each worker does after this.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_dir)


class PlainLogger(Logger):  # type: ignore[misc]
    """gunicorn's own messages, in the form of all others."""

    def setup(self, cfg: Any) -> None:
        """Leave the handlers to the root logger."""
        super().setup(cfg)
        set_up_logging(settings, "web")
        self.error_log.handlers.clear()
        self.error_log.propagate = True


bind = f"{settings.host}:{settings.port}"
proc_name = "headrace-web"
worker_class = "gthread"
workers = settings.web_workers
threads = settings.web_threads
keepalive = 15
# A reply may be held for a minute (GET /jobs/{id}?wait=60); a stop does not wait for those.
timeout = 90
graceful_timeout = 20
logger_class = PlainLogger
loglevel = settings.log_level.lower()
accesslog = None
# X-Forwarded-* headers are believed in one place: the API, for as many proxies as TRUSTED_PROXIES says.
forwarded_allow_ips = ""
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Forget the counters of the last run."""
    shutil.rmtree(metrics_dir, ignore_errors=True)
    metrics_dir.mkdir(parents=True)


def post_worker_init(_worker: Any) -> None:
    """Let the collector pass over what was loaded: it stays, and to look through all of it takes longer than most
    requests."""
    gc.collect()
    gc.freeze()


def child_exit(_server: Any, worker: Any) -> None:
    """Forget what the ended process was doing; its counters stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
