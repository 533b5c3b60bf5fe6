"""The blueprint of logins, to which several modules add routes."""

from __future__ import annotations

from app.http import Blueprint
from app.identity.passwords import bound_hashing
from app.identity.tokens import set_up_tokens

auth = Blueprint("auth", description="Registration, logins and their tokens")
auth.record_once(lambda state: set_up_tokens(state.app))
auth.record_once(lambda state: bound_hashing(state.app.extensions["headrace"].web_threads))
