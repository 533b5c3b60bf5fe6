"""Identity: accounts, logins and their tokens, memberships, and what each role may do. `authenticate` turns a request
into its caller, as the database has them at that moment; the `blueprints` bring all it needs into an application.
Higher rooms add to new accounts by `after_registration`, and take leave of users by `before_user_deletion`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.identity.accounts import after_registration, create_first_admin, register
from app.identity.callers import read_rights, read_rights_of
from app.identity.client_users import before_user_deletion
from app.identity.errors import (
    AccountDisabled,
    EmailNotVerified,
    InvalidCredentials,
    NameTaken,
    RegistrationClosed,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from app.identity.intents import PruneIdentity, SendMail
from app.identity.key_texts import REGISTRATION_KEY, RUNNER_KEY, Keyed, draw_text, read_text
from app.identity.keys import add_signing_key, ensure_signing_key, retire_superseded_keys
from app.identity.known_callers import RIGHTS, tell_of_rights
from app.identity.letters import Letter
from app.identity.mails import Desk, ask_for_mail, note_sent, write_mail, writes_mail
from app.identity.memberships import forget_member
from app.identity.models import AccountMail, Client, Membership, Role, RoleAssignment, User
from app.identity.permissions import (
    ADMIN,
    BUILT_IN,
    MEMBER,
    ORGANIZATION_ROLES,
    OWNER,
    PERMISSIONS,
    PERMISSIONS_OF_ROLE,
    VIEWER,
)
from app.identity.pruning import (
    forget_challenges,
    forget_client_keys,
    forget_deleted_clients,
    forget_ended_logins,
    forget_expired_tokens,
    forget_external_logins,
    forget_mail_tokens,
    forget_old_failures,
    forget_old_mails,
    forget_security_events,
)
from app.identity.queries import rights_ended, sessions_ended
from app.identity.recognition import TokenReader
from app.identity.roles import (
    assign_role,
    assignments_in,
    find_account,
    find_user,
    forget_place,
    refuse_beyond,
    visible_users,
    withdraw_role,
)
from app.identity.scopes import Scope, finds_scope

if TYPE_CHECKING:
    from app.identity.routes import blueprints
    from app.identity.tokens import authenticate

_FRONT = {"authenticate": "app.identity.tokens", "blueprints": "app.identity.routes"}

__all__ = [
    "ADMIN",
    "BUILT_IN",
    "MEMBER",
    "ORGANIZATION_ROLES",
    "OWNER",
    "PERMISSIONS",
    "PERMISSIONS_OF_ROLE",
    "REGISTRATION_KEY",
    "RIGHTS",
    "RUNNER_KEY",
    "VIEWER",
    "AccountDisabled",
    "AccountMail",
    "Client",
    "Desk",
    "EmailNotVerified",
    "InvalidCredentials",
    "Keyed",
    "Letter",
    "Membership",
    "NameTaken",
    "PruneIdentity",
    "RegistrationClosed",
    "Role",
    "RoleAssignment",
    "Scope",
    "SendMail",
    "TokenExpired",
    "TokenInvalid",
    "TokenReader",
    "TokenRevoked",
    "User",
    "add_signing_key",
    "after_registration",
    "ask_for_mail",
    "assign_role",
    "assignments_in",
    "authenticate",
    "before_user_deletion",
    "blueprints",
    "create_first_admin",
    "draw_text",
    "ensure_signing_key",
    "find_account",
    "find_user",
    "finds_scope",
    "forget_challenges",
    "forget_client_keys",
    "forget_deleted_clients",
    "forget_ended_logins",
    "forget_expired_tokens",
    "forget_external_logins",
    "forget_mail_tokens",
    "forget_member",
    "forget_old_failures",
    "forget_old_mails",
    "forget_place",
    "forget_security_events",
    "note_sent",
    "read_rights",
    "read_rights_of",
    "read_text",
    "refuse_beyond",
    "register",
    "retire_superseded_keys",
    "rights_ended",
    "sessions_ended",
    "tell_of_rights",
    "visible_users",
    "withdraw_role",
    "write_mail",
    "writes_mail",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too, for its tables.
    if name in _FRONT:
        return getattr(import_module(_FRONT[name]), name)
    raise AttributeError(name)
