"""Routes of accounts, logins, keys and roles."""

from app.identity.routes.api_keys import api_keys
from app.identity.routes.auth import auth
from app.identity.routes.key_set import keys
from app.identity.routes.profile import users
from app.identity.routes.roles import roles

blueprints = (auth, users, keys, roles, api_keys)
