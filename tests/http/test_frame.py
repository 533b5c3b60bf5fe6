"""What every reply has, whatever the route: the envelope, the error shape, ids, headers, refusals of bad input."""

from __future__ import annotations

from flask.testing import FlaskClient


def test_data_comes_in_an_envelope_that_says_what_answered(client: FlaskClient):
    reply = client.get("/health/live")
    assert reply.status_code == 200
    assert reply.json["data"]["status"] == "healthy"
    assert reply.json["meta"]["request_id"] == reply.headers["X-Request-ID"]
