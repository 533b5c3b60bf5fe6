"""How work is handed out, kept, and shared between organizations."""

from __future__ import annotations

from dataclasses import dataclass

from config.declaring import setting

PLANS = ("free", "standard", "pro", "enterprise")


@dataclass(frozen=True)
class JobSettings:
    """Jobs and quotas."""

    job_lease_seconds: float = setting(30.0, "how long a silent worker keeps its job")
    job_poll_seconds: float = setting(0.25, "how often running work looks whether it was cancelled")
    job_stop_seconds: float = setting(20.0, "how long a worker that is stopped lets jobs end before it hands them back")
    job_history_days: int = setting(30, "how long ended jobs and their events are kept")
    job_change_days: int = setting(90, "how long the history of jobs is kept, in whole weeks")
    job_archive_url: str = setting(
        "", "where weeks of these two are written before they are dropped; any fsspec address", secret=True
    )
    places_free: int = setting(
        5, "jobs of one organization of this plan that may be with the workers of a queue at once; 0 sets no limit"
    )
    places_standard: int = setting(20, "the same for the plan `standard`, which every organization begins with")
    places_pro: int = setting(50, "the same for the plan `pro`")
    places_enterprise: int = setting(0, "the same for the plan `enterprise`")
    executions_free: int = setting(50, "unfinished executions an organization of this plan may have; 0 sets no limit")
    executions_standard: int = setting(2_000, "the same for the plan `standard`")
    executions_pro: int = setting(10_000, "the same for the plan `pro`")
    executions_enterprise: int = setting(0, "the same for the plan `enterprise`")
    relay_interval_seconds: float = setting(2.0, "how often lost messages and expired leases are looked for")
    relay_resend_seconds: float = setting(30.0, "after how long a queued job nobody claimed is sent again")
    audit_days: int = setting(365, "how long the audit log is kept, in whole weeks")

    @property
    def plan_places(self) -> dict[str, int]:
        """The places of an organization in each queue, by its plan."""
        amounts = (self.places_free, self.places_standard, self.places_pro, self.places_enterprise)
        return dict(zip(PLANS, amounts, strict=True))

    @property
    def plan_executions(self) -> dict[str, int]:
        """The unfinished executions of an organization, by its plan."""
        amounts = (self.executions_free, self.executions_standard, self.executions_pro, self.executions_enterprise)
        return dict(zip(PLANS, amounts, strict=True))
