"""The textbook's tables."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker


class Base(DeclarativeBase):
    """The declarative base."""

    type_annotation_map = {dict[str, Any]: JSONB}


def _now() -> datetime:
    return datetime.now(UTC)


class User(Base):
    """Who asks."""

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]


class Pipeline(Base):
    """What is to be run."""

    __tablename__ = "pipelines"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    definition: Mapped[dict[str, Any]]
    started: Mapped[int] = mapped_column(default=0)


class Job(Base):
    """A piece of work."""

    __tablename__ = "jobs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued", index=True)
    payload: Mapped[dict[str, Any]]
    created_by: Mapped[uuid.UUID] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=_now, index=True)


class Execution(Base):
    """One run of a pipeline."""

    __tablename__ = "executions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id"))
    pipeline_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("pipelines.id"), index=True)
    number: Mapped[int]
    status: Mapped[str] = mapped_column(default="queued")
    branch: Mapped[str]
    variables: Mapped[dict[str, Any]]
    plan: Mapped[dict[str, Any]]
    created_by: Mapped[uuid.UUID]
    created_at: Mapped[datetime] = mapped_column(default=_now, index=True)
    stages: Mapped[list[Stage]] = relationship(order_by="Stage.position")


class Stage(Base):
    """A stage of a run."""

    __tablename__ = "stages"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    execution_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("executions.id"), index=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    position: Mapped[int]
    steps: Mapped[list[Step]] = relationship(order_by="Step.position")


class Step(Base):
    """A step of a stage."""

    __tablename__ = "steps"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    stage_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("stages.id"), index=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    position: Mapped[int]


def open_sessions(url: str) -> sessionmaker[Session]:
    """Return a maker of sessions."""
    engine = create_engine(url, pool_size=8, pool_pre_ping=True)
    return sessionmaker(engine, expire_on_commit=False)


def seed(url: str, definition: dict[str, Any]) -> tuple[uuid.UUID, uuid.UUID]:
    """Make the tables, a user and a pipeline; return the ids of both."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        user = User(name="bench")
        session.add(user)
        session.flush()
        pipeline = Pipeline(owner_id=user.id, name="bench", definition=definition)
        session.add(pipeline)
        session.flush()
        ids = user.id, pipeline.id
    engine.dispose()
    return ids


def start(session: Session, pipeline: Pipeline, body: dict[str, Any], user_id: uuid.UUID) -> Execution:
    """Write an execution of a pipeline."""
    pipeline.started += 1
    job = Job(kind="bare.nothing", payload={"pipeline_id": str(pipeline.id)}, created_by=user_id)
    session.add(job)
    session.flush()
    execution = Execution(
        job_id=job.id,
        pipeline_id=pipeline.id,
        number=pipeline.started,
        branch=body["branch"],
        variables=body["variables"],
        plan=pipeline.definition,
        created_by=user_id,
        stages=[_stage(stage, position) for position, stage in enumerate(pipeline.definition["stages"])],
    )
    session.add(execution)
    return execution


def _stage(stage: dict[str, Any], position: int) -> Stage:
    steps = [Step(name=step["name"], position=place) for place, step in enumerate(stage["steps"])]
    return Stage(name=stage["name"], position=position, steps=steps)
