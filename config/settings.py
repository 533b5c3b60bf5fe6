"""Settings: one typed object, read from the environment at start; a wrong value ends the start with one clear line.

Every setting may also be given as `NAME_FILE`, the path of a file that holds it (a mounted secret).
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.sections.accounts import AccountSettings
from config.sections.clusters import ClusterSettings
from config.sections.delivery import DeliverySettings
from config.sections.installation import InstallationSettings
from config.sections.jobs import JobSettings
from config.sections.observing import ObservingSettings
from config.sections.serving import ServingSettings
from config.sections.steps import StepSettings
from config.sections.watching import WatchingSettings
from config.values import convert_value, find_container_faults, find_value

NEEDED: Final = ("database_url", "redis_url", "secret_key")


class SettingsInvalid(SystemExit):
    """Some settings are missing or wrong; the message names each."""


@dataclass(frozen=True)
class Settings(
    InstallationSettings,
    ServingSettings,
    AccountSettings,
    JobSettings,
    StepSettings,
    ClusterSettings,
    WatchingSettings,
    DeliverySettings,
    ObservingSettings,
):
    """Everything that may differ between two installations. The environment's name is the field's, in capitals."""

    @property
    def log_store(self) -> str:
        """The address of the log store."""
        return self.log_store_url or f"file://{self.data_dir.resolve()}/logs"

    @property
    def artifact_store(self) -> str:
        """The address of the artifact store."""
        return self.artifact_store_url or f"file://{self.data_dir.resolve()}/artifacts"

    @property
    def mail_folder(self) -> Path | None:
        """Where mails are kept that go nowhere: in development, without a mail server."""
        return (self.data_dir / "mail").resolve() if self.is_development and not self.smtp_url else None

    @property
    def workspaces(self) -> Path:
        """The folder of the checkouts."""
        return (self.work_dir or self.data_dir / "work").resolve()


SECTIONS: Final = Settings.__bases__
"""In the order in which they are shown."""


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read all settings; raises SettingsInvalid (which ends the process) naming everything that is wrong."""
    source = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    faults: list[str] = []
    hints = typing.get_type_hints(Settings)
    for declared in dataclasses.fields(Settings):
        name = declared.name.upper()
        try:
            text = find_value(source, name)
            if text is not None:
                values[declared.name] = convert_value(text, hints[declared.name])
            elif declared.name in NEEDED:
                faults.append(f"{name} is not set: {declared.metadata['help']}")
        except (ValueError, OSError) as error:
            faults.append(f"{name}: {error}")
    if len(values.get("secret_key", "x" * 32)) < 32:
        faults.append("SECRET_KEY is shorter than 32 characters")
    if any(len(key) < 32 for key in values.get("secret_key_old", "").splitlines()):
        faults.append("a key of SECRET_KEY_OLD is shorter than 32 characters")
    faults += find_container_faults(values)
    if faults:
        raise SettingsInvalid("headrace cannot start: " + "; ".join(faults))
    return Settings(**values)
