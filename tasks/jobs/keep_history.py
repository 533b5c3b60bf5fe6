"""Keeping the history of jobs and the audit log: room for the weeks to come, and the old ones moved out as whole
partitions."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

from app.jobs import Run, history_lines, make_history_partitions, old_history
from app.kernel.audit import make_audit_partitions, old_audit
from app.kernel.partitions import Partition, drop_partition
from app.kernel.store import BlobStore
from tasks.tools import Tools


def keep_history(run: Run, tools: Tools) -> int:
    """Make the coming weeks' partitions, drop those that are too old and return how many; with an archive, each is
    written there first, as gzipped lines of JSON."""
    with run.recording() as (session, _job):
        make_history_partitions(session)
        make_audit_partitions(session)
        old = [*old_history(session, tools.change_days), *old_audit(session, tools.audit_days)]
    for partition in old:
        run.check()
        if tools.archive is not None:
            _archive(run, partition, tools.archive)
        with run.recording() as (session, _job):
            drop_partition(session, partition)
    return len(old)


def _archive(run: Run, partition: Partition, archive: BlobStore) -> None:
    with TemporaryDirectory(prefix="headrace-history-") as folder:
        written = Path(folder) / "lines.gz"
        with gzip.open(written, "wb") as target, run.reading() as session:
            target.writelines(history_lines(session, partition))
        archive.put_file(f"{partition.table}/{partition.name}.jsonl.gz", written)
