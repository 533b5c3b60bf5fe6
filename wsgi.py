"""What gunicorn serves: the API, joined to the broker that carries its jobs to the workers."""

from __future__ import annotations

from app.factory import create_app
from config.logs import set_up_logging
from config.settings import load_settings
from config.tracing import set_up_tracing
from workers.sender import CelerySender

settings = load_settings()
set_up_logging(settings, "web")
set_up_tracing(settings, "web")
app = create_app(settings, sender=CelerySender.from_settings(settings))
