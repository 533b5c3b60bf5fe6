"""Routes of accounts, logins, keys and roles."""

from app.identity.routes import auth as _auth
from app.identity.routes import client_users as _client_users
from app.identity.routes import mails as _mails
from app.identity.routes import mfa as _mfa
from app.identity.routes import providers as _providers
from app.identity.routes import sessions as _sessions
from app.identity.routes.admin import admin
from app.identity.routes.api_keys import api_keys
from app.identity.routes.audit import audit
from app.identity.routes.base import auth
from app.identity.routes.caught_mails import caught
from app.identity.routes.clients import clients
from app.identity.routes.key_set import keys
from app.identity.routes.profile import users
from app.identity.routes.roles import roles

__all__ = ["blueprints"]

every_module = (_auth, _client_users, _mails, _mfa, _providers, _sessions)
blueprints = (auth, users, clients, keys, roles, api_keys, audit, admin, caught)
