"""Puts the API together: Flask, the frame around every request, the platform's own routes and those of the rooms."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask

from app.http.blueprint import Blueprint
from app.http.connections import watch_connections
from app.http.frame import Application, frame
from app.http.health import own_checks
from app.http.openapi import describe
from app.http.platform import KEY, Platform
from app.http.system import STATIC, changes, root


def make_api(parts: Platform, blueprints: Sequence[Blueprint]) -> Flask:
    """Return an application that serves the blueprints, and documents them, on these parts."""
    app = Application("headrace", static_folder=str(STATIC), static_url_path="/static")
    app.extensions[KEY] = parts
    watch_connections(parts.database)
    frame(app, parts)
    describe(app, [root, *blueprints, changes])
    parts.checks[:0] = own_checks(parts)
    return app
