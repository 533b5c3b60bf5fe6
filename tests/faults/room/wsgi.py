"""The API with the harness's routes, as wsgi.py has it without them."""

from __future__ import annotations

from app.factory import ROOMS, create_app
from config.logs import set_up_logging
from config.settings import load_settings
from tests.faults.room import routes
from workers.sender import CelerySender

settings = load_settings()
set_up_logging(settings, "web")
app = create_app(settings, sender=CelerySender.from_settings(settings), rooms=(*ROOMS, routes))
