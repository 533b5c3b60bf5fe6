"""The phases of provisionings, by their names in `app.tenancy.courses`."""

from tasks.tenancy.phases.base import Inside, Site
from tasks.tenancy.phases.catalogue import make_phases

__all__ = ["Inside", "Site", "make_phases"]
