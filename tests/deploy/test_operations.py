"""What operators are given: commands that run, alerts that lead to what helps, a dashboard Grafana takes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from flask import Flask
from sqlalchemy import text

from app.identity.keys import KeyRing, ensure_signing_key
from app.kernel.crypto import Undecryptable, Vault
from app.kernel.db import Database
from tests.architecture.source import ROOT

MANUAL = (ROOT / "docs" / "operations.md").read_text()
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", MANUAL, re.DOTALL)


def anchors() -> set[str]:
    headings = re.findall(r"^#+ (.+)$", MANUAL, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("statement", [one for block in blocks("sql") for one in block.strip().splitlines()])
def test_a_statement_of_the_manual_runs(database: Database, statement: str) -> None:
    with database.transaction() as session:
        session.execute(text(statement))


def test_addresses_of_the_manual_are_served(app: Flask) -> None:
    served = app.url_map.bind("localhost")
    asked = re.findall(r'\$(API|HOST)(/[^\s"?`]*)', "".join(blocks("sh")))
    assert len(asked) > 8
    for base, path in asked:
        methods = served.allowed_methods(f"/api/v1{path}" if base == "API" else path)
        assert methods, path


def test_every_alert_leads_to_a_chapter_of_the_manual_that_names_it() -> None:
    assert len(RULES) >= 15
    for rule in RULES:
        manual, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert manual == "docs/operations.md"
        assert anchor in anchors(), anchor
        assert f"`{rule['alert']}`" in MANUAL
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_links_within_the_manual_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([a-z-]+)\)", MANUAL)) <= anchors()


def test_the_dashboard_is_one() -> None:
    board: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "headrace.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["targets"] and panel["title"] and panel["description"] for panel in panels)
    taken = [(cell["x"], cell["y"]) for panel in board["panels"] for cell in [panel["gridPos"]]]
    assert len(set(taken)) == len(taken)


def test_after_the_loss_of_the_key_the_manual_leads_to_a_new_one(database: Database) -> None:
    lost, new = Vault("k" * 32), Vault("l" * 32)
    with database.transaction() as session:
        ensure_signing_key(session, lost)
    with pytest.raises(Undecryptable):
        KeyRing(database, new).signer()
    (recovery,) = [block for block in blocks("sql") if "signing_keys" in block]
    with database.transaction() as session:
        for statement in recovery.strip().splitlines():
            session.execute(text(statement))
        ensure_signing_key(session, new)
    assert KeyRing(database, new).signer().kid
