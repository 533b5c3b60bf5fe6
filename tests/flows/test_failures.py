"""Failures of real executions: grouped by the step they happened in, and tried again all at once."""

from __future__ import annotations

from typing import Any

from tests.support.callers import User
from tests.support.pipelines import pipeline, stage, step
from tests.support.platform import wait_for
from tests.support.repositories import Repository


def wait_for_job(alice: User, job_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        job: dict[str, Any] = alice.get(f"/jobs/{job_id}").data()
        return job if job["status"] in ("succeeded", "failed", "cancelled") else None

    return wait_for(ended, 60)


def test_executions_that_failed_alike_are_found_and_retried_together(alice: User, repository: Repository) -> None:
    workspace = alice.make_workspace("Work", repository.url)
    broken = alice.make_pipeline(workspace, pipeline(stage("build", step("compile", "exit 3"))))
    sound = alice.make_pipeline(workspace, pipeline(stage("build", step("compile", "true")), name="sound"))
    started = [alice.start(one) for one in (broken, broken, sound)]
    ends = [alice.wait_for_end(execution["id"])["status"] for execution in started]
    assert ends == ["failed", "failed", "succeeded"]

    groups = {(group["kind"], group["where"]): group for group in alice.get("/jobs/failures").data()}
    group = groups["pipelines.execute", "build/compile"]
    assert (group["code"], group["count"]) == ("EXECUTION_FAILED", 2)
    assert set(group["job_ids"]) == {execution["job_id"] for execution in started[:2]}
    assert groups["pipelines.run_stage", "build/compile"]["count"] == 2

    asked = {"action": "retry", "filter": {"fingerprint": group["fingerprint"]}}
    assert alice.post("/jobs/bulk", asked | {"dry_run": True}).data()["count"] == 2
    bulk = wait_for_job(alice, alice.post("/jobs/bulk", asked).data(202)["id"])
    assert (bulk["status"], bulk["result"]) == ("succeeded", {"matched": 2, "done": 2, "skipped": {}})
    for execution in started[:2]:
        wait_for(lambda job_id=execution["job_id"]: alice.get(f"/jobs/{job_id}").data()["attempt"] >= 2, 60)  # type: ignore[misc]
        assert alice.wait_for_end(execution["id"])["status"] == "failed"
