"""Incidents that are played on clusters: how many problems come of them, and what is suspected to have come first."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.clusters import Access, Cluster
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.sre.models import Problem
from tests.sre.problems.incidents import NODES, WORKLOADS
from tests.sre.problems.incidents_of_limits import JOBS, LIMITS, OTHERS
from tests.sre.problems.script import Cause, Incident, Stage
from tests.sre.problems.theatre import Theatre, usage_of
from tests.support.clusters import register
from tests.support.identity import Person
from tests.support.metrics import write
from tests.support.scene import Scene

INCIDENTS = (*NODES, *WORKLOADS, *LIMITS, *JOBS, *OTHERS)
QUIET = Incident("nothing", (), {}, lasts=24.0)


def open_theatre(client: FlaskClient, person: Person, database: Database, incident: Incident) -> Theatre:
    """Return a cluster for a script that ends now."""
    start = utc_now().replace(microsecond=0) - timedelta(minutes=incident.lasts)
    made = register(
        client,
        person,
        Access("https://kube.example.com", token="t"),
        name=re.sub(r"\W+", "-", incident.name)[:40].strip("-"),
    )
    cluster_id = UUID(made["id"])
    with database.transaction() as session:
        session.get_one(Cluster, cluster_id).connect("v1.31.0")
    stage = Stage(Scene(start))
    if usage := usage_of(stage, incident, start):
        write(client, person, *usage, cluster_id=str(cluster_id))
    return Theatre(database, cluster_id, person.organization_id, stage)


def says(problem: Problem, cause: Cause) -> bool:
    """Tell whether a problem suspects what a script says came first."""
    kind, about = cause
    found = problem.cause["about"] or {}
    place = f"{found.get('namespace')}/" if found.get("namespace") else ""
    return problem.cause["kind"] == kind and about in (None, f"{found.get('kind')} {place}{found.get('name')}")


def judge(incident: Incident, problems: list[Problem]) -> tuple[int, int, str]:
    """Return how many problems there are in the end, how many first causes are right, and what was found."""
    left = [one for one in problems if one.merged_into is None]
    unused, right = list(left), 0
    for cause in incident.causes:
        found = next((one for one in unused if says(one, cause)), None)
        if found is not None:
            unused.remove(found)
            right += 1
    told = "; ".join(f"{one.cause['kind']} ({one.cause['confidence']}): {one.title}" for one in problems)
    return len(left), right, f"{incident.name}: {len(left)} of {len(problems)}, right {right}: {told}"


@pytest.mark.timeout(300)
def test_incidents_become_one_problem_each_with_the_right_first_cause(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    assert len(INCIDENTS) >= 20
    problems = opened = right = expected = 0
    lines = []
    for incident in INCIDENTS:
        theatre = open_theatre(client, alice, database, incident)
        theatre.play(incident)
        made = theatre.problems()
        left, good, line = judge(incident, made)
        problems, opened, right = problems + left, opened + len(made), right + good
        expected += len(incident.causes)
        lines.append(line)
    said = "\n".join(lines)
    print(f"{expected} incidents, {opened} opened, {problems} left, {right} right\n{said}")
    assert problems <= 1.2 * expected, said
    assert opened <= 1.2 * expected, said
    assert right >= 0.8 * expected, said


def test_a_healthy_cluster_has_no_problem(client: FlaskClient, alice: Person, database: Database) -> None:
    theatre = open_theatre(client, alice, database, QUIET)
    theatre.play(QUIET)
    assert [one.title for one in theatre.problems()] == []


def test_what_is_repaired_is_resolved_by_itself_and_told(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    incident = NODES[0]
    theatre = open_theatre(client, alice, database, incident)
    theatre.play(incident)
    (problem,) = theatre.problems()
    assert (problem.status, problem.severity) == ("open", "critical")
    theatre.stage.scene = well_again(theatre.stage.scene.now)
    theatre.stage.alerts.clear()
    theatre.stage.anomalies.clear()
    for minute in (1, 6, 12):
        theatre.stage.scene.now = theatre.stage.scene.start + timedelta(minutes=minute)
        theatre.look()
    (problem,) = theatre.problems()
    assert (problem.status, problem.resolved_by) == ("resolved", None)


def well_again(moment: datetime) -> Scene:
    """Return the cluster as it was."""
    scene = Scene(moment)
    scene.settle()
    return scene
