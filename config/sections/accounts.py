"""Who may come in, and how long their tokens live."""

from __future__ import annotations

from dataclasses import dataclass

from config.declaring import setting


@dataclass(frozen=True)
class AccountSettings:
    """Accounts."""

    admin_username: str = setting("admin", "the first administrator, made by the release step")
    admin_email: str = setting("admin@example.com", "the first administrator's address")
    admin_password: str = setting("", "the first administrator's password; empty makes none", secret=True)
    access_token_seconds: int = setting(900, "life of an access token")
    refresh_token_seconds: int = setting(7 * 86400, "life of a refresh token; each refresh starts it anew")
    registration_open: bool = setting(True, "whether anyone may register")
    oauth_providers: str = setting(
        "",
        "where people may log in as well, as JSON: "
        '`{"github": {"client_id": "…", "client_secret": "…"}, "google": {…}, "corp": {…, "issuer": "https://…"}}`',
        secret=True,
    )
