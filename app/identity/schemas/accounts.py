"""Wire forms of accounts and logins."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, post_dump, validate, validates_schema

from app.http import Schema, Timestamp, principal

COOKIE = "cookie"
BODY = "body"


def printable(text: str) -> None:
    """Refuse line breaks and control characters."""
    if not text.isprintable():
        raise ValidationError("Must not contain line breaks or control characters.")


def printable_lines(text: str) -> None:
    """Refuse control characters, but allow several lines."""
    if not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        raise ValidationError("Must not contain control characters.")


def ascii_only(text: str) -> None:
    """Refuse what is not ASCII: letters that look like others would make two addresses look like one, and not every
    server delivers to them. Names of domains have an ASCII form (`xn--…`)."""
    if not text.isascii():
        raise ValidationError("Must consist of ASCII characters; write an international domain as xn--….")


def email_field(**kwargs: Any) -> fields.Email:
    """Return a field for an address."""
    return fields.Email(
        validate=[validate.Length(max=254), printable, ascii_only], metadata={"example": "alice@example.com"}, **kwargs
    )


def username_field(**kwargs: Any) -> fields.String:
    """Return a field for a username."""
    return fields.String(
        validate=[
            validate.Length(min=3, max=50),
            validate.Regexp(r"^[A-Za-z0-9_.-]+\Z", error="Must consist of letters, digits, `_`, `.` and `-`."),
        ],
        metadata={"example": "alice"},
        **kwargs,
    )


def password_field(least: int = 8, *, required: bool = True, description: str = "", **kwargs: Any) -> fields.String:
    """Return a field for a password."""
    return fields.String(
        required=required,
        **kwargs,
        load_only=True,
        validate=validate.Length(min=least, max=128),
        metadata={"format": "password", "example": "correct horse battery"}
        | ({"description": description} if description else {}),
    )


class Delivery(Schema):
    """Where the refresh token is to go."""

    delivery = fields.String(
        load_default=COOKIE,
        validate=validate.OneOf([COOKIE, BODY]),
        metadata={
            "description": "The refresh token is always set as a cookie that scripts cannot read. `body` also puts it "
            "into the reply, for clients without cookies; a browser should not ask for that."
        },
    )


class Registration(Delivery):
    """What makes an account."""

    username = username_field(required=True)
    email = email_field(required=True)
    password = password_field()


class Credentials(Delivery):
    """What lets in: a username or an email address, and the password."""

    username = fields.String(validate=validate.Length(min=1, max=254), metadata={"example": "alice"})
    email = fields.String(validate=validate.Length(min=1, max=254), metadata={"example": "alice@example.com"})
    password = password_field(least=1)

    @validates_schema
    def check_one_name(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Refuse both names, and none."""
        if ("username" in data) == ("email" in data):
            raise ValidationError("Give either `username` or `email`.", "username")


class Presented(Schema):
    """A refresh token, from a client that keeps it itself; others send the cookie."""

    refresh_token = fields.String(validate=validate.Length(min=1, max=256), load_only=True)


class PasswordChange(Schema):
    """A new password, and the proof that the caller knows the old one."""

    current_password = password_field(least=1)
    new_password = password_field()


class User(Schema):
    """An account, as its owner sees it."""

    id = fields.UUID(required=True)
    username = fields.String(required=True)
    email = fields.String(required=True)
    email_verified = fields.Boolean(required=True)
    role = fields.String(required=True, validate=validate.OneOf(["user", "admin"]))
    display_name = fields.String(required=True, allow_none=True)
    bio = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    last_login_at = Timestamp(required=True, allow_none=True)


class SignedIn(Schema):
    """A user let in."""

    user = fields.Nested(User, required=True)
    access_token = fields.String(required=True, metadata={"description": "Send as `Authorization: Bearer …`"})
    token_type = fields.String(required=True, validate=validate.Equal("Bearer"))
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds the access token lives"})
    refresh_token = fields.String(metadata={"description": "Only for clients that asked for it, or sent one"})


class ProfileChange(Schema):
    """What users change of their account; fields that are left out stay."""

    email = email_field()
    current_password = password_field(
        least=1, required=False, description="Needed to change the email address of an account that has a password"
    )
    display_name = fields.String(allow_none=True, validate=[validate.Length(max=100), printable])
    bio = fields.String(allow_none=True, validate=[validate.Length(max=500), printable_lines])


class Profile(ProfileChange):
    """What users say of themselves, whole; fields that are left out become empty."""

    email = email_field(required=True)
    display_name = fields.String(load_default=None, allow_none=True, validate=[validate.Length(max=100), printable])
    bio = fields.String(load_default=None, allow_none=True, validate=[validate.Length(max=500), printable_lines])


class TokenState(Schema):
    """What a token is good for."""

    active = fields.Boolean(required=True)
    subject = fields.UUID(required=True)
    client_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The client application that it is, or is a user of"}
    )
    scopes = fields.List(fields.String(), required=True, metadata={"description": "Permissions, as `area:verb`"})
    expires_at = Timestamp(required=True, allow_none=True)


class LoginSession(Schema):
    """A login on one device."""

    id = fields.UUID(required=True)
    device = fields.String(required=True, allow_none=True, attribute="user_agent")
    ip_address = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    last_used_at = Timestamp(required=True)
    expires_at = Timestamp(required=True)
    is_current = fields.Boolean(required=True, dump_default=False, metadata={"description": "Whether it is this one"})

    @post_dump
    def mark_current(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """Mark the login that the request itself came from."""
        return data | {"is_current": data["id"] == str(principal().session_id)}
