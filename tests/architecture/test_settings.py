"""Every setting is read, documented and checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from config.__main__ import document
from config.settings import SECTIONS, Settings, SettingsInvalid, load_settings
from tests.architecture.source import ROOT, files

NEEDED = {"DATABASE_URL": "postgresql://u:p@h/d", "REDIS_URL": "redis://h", "SECRET_KEY": "k" * 32}


def test_the_document_of_settings_is_what_they_say() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == document()


def test_each_setting_is_in_one_section() -> None:
    declared = [field.name for section in SECTIONS for field in dataclasses.fields(section)]
    assert sorted(declared) == sorted(field.name for field in dataclasses.fields(Settings))


def test_every_setting_is_used() -> None:
    sections = files("config/sections")
    elsewhere = "".join(p.read_text() for p in files("app", "tasks", "workers", "config") if p not in sections)
    derived = "".join(path.read_text() for path in sections)
    unused = [
        declared.name
        for declared in dataclasses.fields(Settings)
        if declared.name.removeprefix("rate_limit_") not in elsewhere and f"self.{declared.name}" not in derived
    ]
    assert unused == []


def test_settings_are_typed() -> None:
    settings = load_settings(NEEDED | {"PORT": "9000", "STEP_NETWORK": "false", "WORK_DIR": "/srv/work"})
    assert (settings.port, settings.step_network, settings.work_dir) == (9000, False, Path("/srv/work"))


def test_a_setting_may_lie_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a mounted file, long enough to be one\n")
    given = {name: value for name, value in NEEDED.items() if name != "SECRET_KEY"}
    assert load_settings(given | {"SECRET_KEY_FILE": str(secret)}).secret_key.startswith("from a mounted file")


def test_all_that_is_wrong_is_named_in_one_line_and_no_value_is_shown() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings({"DATABASE_URL": "postgresql://h/d", "SECRET_KEY": "tooshort", "PORT": "many", "SANDBOX": "none"})
    said = str(caught.value)
    assert "\n" not in said
    assert all(name in said for name in ("REDIS_URL", "SECRET_KEY", "PORT", "SANDBOX"))
    assert "tooshort" not in said


def test_where_containers_run_is_checked() -> None:
    settings = load_settings(NEEDED | {"CONTAINER_ENGINE": "kubernetes", "KUBERNETES_NODE_SELECTOR": "a=b, x.y/z=1"})
    assert settings.runs_in_pods
    assert settings.node_selector == {"a": "b", "x.y/z": "1"}
    for name, value in (("CONTAINER_ENGINE", "kubernetes://x"), ("KUBERNETES_NODE_SELECTOR", "a=b,c")):
        with pytest.raises(SettingsInvalid, match=name):
            load_settings(NEEDED | {name: value})
