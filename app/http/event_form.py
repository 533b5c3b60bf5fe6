"""The wire form of a stream's events."""

from __future__ import annotations

from marshmallow import fields

from app.http.schemas import Schema


class EventSchema(Schema):
    """An event, in the one shape of all streams."""

    id = fields.String()
    type = fields.String(metadata={"example": "job.progress"})
    topic = fields.String()
    timestamp = fields.String()
    data = fields.Dict(keys=fields.String())
