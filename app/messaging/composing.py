"""Messages out of what a client says on another way than the API: held to the same form."""

from __future__ import annotations

from typing import Any, Final

from app.http import inspect_values, load_fields
from app.messaging.schemas.messages import MessageCreation

_FORM: Final = MessageCreation()


def read_message(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a message to be sent; raises Malformed or Invalid with a fault for each field."""
    inspect_values(given)
    loaded: dict[str, Any] = load_fields(_FORM, given, "message")
    return loaded
