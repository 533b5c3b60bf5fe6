"""The routes of messaging."""

from app.messaging.routes import attachments, members, posts, readers, reception
from app.messaging.routes.base import messages, rooms

blueprints = (rooms, messages)

__all__ = ["attachments", "blueprints", "members", "posts", "readers", "reception"]
