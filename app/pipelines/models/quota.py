"""How many executions an organization may have at once."""

from __future__ import annotations

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base


class PlanQuota(Base):
    """The unfinished executions of an organization of a plan, written at each release from the settings."""

    __tablename__ = "plan_quotas"

    plan: Mapped[str] = mapped_column(primary_key=True)
    executions: Mapped[int] = mapped_column(Integer)
