"""A page of a list of a million jobs, wherever it lies, beside the first page."""

from __future__ import annotations

import json
import statistics
import time
from functools import partial
from typing import Any
from urllib.parse import urlencode

import psycopg

from bench.caller import API, Caller, newcomer
from bench.client import Connection, request_bytes
from bench.findings import Finding, Goal, in_turns
from bench.ground import Ground
from bench.start import plain

ROWS = 1_000_000
RUNS = 25
FILTERED = {
    "failed": {"status": "failed"},
    "running, of which there are none": {"status": "running"},
    "of a rare kind": {"kind": "clusters.provision"},
    "with an error that is frequent": {"error_code": "STAGE_FAILED"},
    "with an error that never was": {"error_code": "NEVER_SEEN"},
}

_INSERT = """
INSERT INTO jobs (id, kind, queue, priority, payload, max_attempts, status, error, percent, attempt,
                  organization_id, created_at, scheduled_for, sent_at, started_at, finished_at)
SELECT gen_random_uuid(), CASE WHEN n %% 5000 < 2 THEN 'clusters.provision' ELSE 'pipelines.run_stage' END,
       'ci', 3, '{}', 3, CASE WHEN n %% 50 < 2 THEN 'failed' ELSE 'succeeded' END,
       CASE WHEN n %% 50 < 2 THEN '{"code": "STAGE_FAILED", "message": "A step failed.", "details": {}}'::jsonb END,
       100, 1,
       CASE WHEN n %% 2 = 0 THEN %(organization)s::uuid ELSE %(other)s::uuid END,
       moment, moment, moment, moment, moment + interval '5 s'
FROM generate_series(1, %(rows)s) AS n, LATERAL (SELECT now() - n * interval '1 s' AS moment) AS moments
"""


def measure(ground: Ground) -> list[Finding]:
    """Fill the table, then read pages in turns."""
    with ground.platform("lists", "web") as ours:
        many, few = newcomer(ours.base), newcomer(ours.base)
        _fill(plain(ours.settings.database_url), _organization(many))
        connection = Connection(ours.port)
        pages = {"first": {}, "middle": _cursor(many, 0.5), "last": _cursor(many, 0.999)}
        ways = {name: partial(_read, connection, many, page) for name, page in pages.items()}
        ways["page 400"] = partial(_read, connection, many, {"page": "400"})
        ways["of one who has none"] = partial(_read, connection, few, {})
        for name, filters in FILTERED.items():
            ways[name] = partial(_read, connection, many, filters)
            ways[f"{name}, middle"] = partial(_read, connection, many, filters | pages["middle"])
        for way in ways.values():
            way()
        taken = in_turns(RUNS, ways)
    middle = {name: 1e3 * statistics.median(seconds) for name, seconds in taken.items()}
    return [
        Finding(f"page of 1,000,000 jobs, {name}", middle[name], "ms", "page 1", middle["first"], goal)
        for name, goal in (
            ("middle", Goal(1.3)),
            ("last", Goal(1.3)),
            ("page 400", None),
            ("of one who has none", Goal(1.3)),
            *((name, Goal(1.3)) for name in ways if name.removesuffix(", middle") in FILTERED),
        )
    ]


def _organization(caller: Caller) -> str:
    return str(caller.api.get(f"/workspaces/{caller.workspace_id}").data["organization_id"])


def _fill(database_url: str, organization: str) -> None:
    values = {"organization": organization, "other": "0190d6f2-0000-7000-8000-000000000000", "rows": ROWS}
    with psycopg.connect(database_url, autocommit=True) as rows:
        rows.execute("SET synchronous_commit = off")
        rows.execute("ALTER TABLE jobs DISABLE TRIGGER USER")
        rows.execute(_INSERT, values)
        rows.execute("ALTER TABLE jobs ENABLE TRIGGER USER")
        rows.execute("VACUUM ANALYZE jobs")


def _cursor(caller: Caller, share: float) -> dict[str, str]:
    """Return the cursor of a page that lies `share` of the way down, as a caller would find one."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - share * ROWS))
    path = f"{API}/jobs?{urlencode({'created_before': moment, 'limit': 20})}"
    body = Connection(int(caller.api.base.rpartition(":")[2])).send(request_bytes("GET", path, token=caller.token), 200)
    return {"cursor": str(json.loads(body)["meta"]["pagination"]["next_cursor"])}


def _read(connection: Connection, caller: Caller, query: dict[str, Any]) -> float:
    request = request_bytes("GET", f"{API}/jobs?{urlencode({'limit': 20, **query})}", token=caller.token)
    began = time.perf_counter()
    connection.send(request, 200)
    return time.perf_counter() - began
