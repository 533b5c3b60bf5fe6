"""Wire forms of email providers."""

from __future__ import annotations

import re
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, pre_load, validate, validates_schema

from app.http import Schema, Timestamp
from app.notifications.callbacks.sendgrid import read_key
from app.notifications.dkim_keys import find_key_fault
from app.notifications.fields import address, check_line, line
from app.notifications.models import KINDS

SECURITIES: Final = ("starttls", "tls", "none")
TLS_PORT: Final = 465
# What each kind is told; the first ones it cannot do without.
NEEDED: Final = {
    "smtp": ("host",),
    "sendgrid": (),
    "mailgun": ("domain",),
    "postmark": (),
    "ses": ("aws_access_key_id",),
}
OPTIONAL: Final = {
    "smtp": (
        *("port", "security", "use_tls", "use_ssl", "username", "password"),
        *("dkim_domain", "dkim_selector", "dkim_private_key"),
    ),
    "sendgrid": ("api_key", "region", "base_url", "verification_key"),
    "mailgun": ("api_key", "region", "base_url", "signing_key"),
    "postmark": ("server_token", "message_stream", "base_url", "callback_password"),
    "ses": ("aws_secret_access_key", "region", "configuration_set", "base_url", "topic_arn"),
}
REGIONS: Final = ("us", "eu")
_AWS_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_NAME = validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}\Z")
_DOMAIN = validate.Regexp(r"^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+\Z")
_SELECTOR = validate.Regexp(r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?\Z")
_URL = validate.Regexp(r"^https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?\Z")


def _check_dkim_key(text: str) -> None:
    if fault := find_key_fault(text):
        raise ValidationError(f"This {fault}.")


def _check_key(text: str) -> None:
    try:
        read_key(text)
    except ValueError as error:
        raise ValidationError(f"This {error}.") from error


def _secret() -> fields.String:
    said = {"description": "Never comes back"}
    return fields.String(load_only=True, validate=[validate.Length(1, 1000), check_line], metadata=said)


class ProviderConfig(Schema):
    """How a provider is reached. `smtp`: host, port, security, username, password. `sendgrid`: api_key. `mailgun`:
    api_key, domain. `postmark`: server_token. `ses`: aws_access_key_id, aws_secret_access_key, region."""

    provider_type = fields.String(required=True, validate=validate.OneOf(KINDS), metadata={"example": "smtp"})
    host = line(253, metadata={"example": "smtp.example.com"})
    port = fields.Integer(validate=validate.Range(1, 65_535), metadata={"description": "587 unless given"})
    security = fields.String(
        validate=validate.OneOf(SECURITIES),
        metadata={"description": "`tls` at port 465, else `starttls`, unless given"},
    )
    use_tls = fields.Boolean(load_only=True, metadata={"description": "The same as `security: starttls`"})
    use_ssl = fields.Boolean(load_only=True, metadata={"description": "The same as `security: tls`"})
    username = line(254, allow_none=True)
    password = _secret()
    api_key = _secret()
    domain = fields.String(validate=_DOMAIN)
    region = fields.String(metadata={"description": "`us` or `eu`; of SES such as `us-east-1`"})
    base_url = fields.String(
        validate=[validate.Length(max=500), _URL], metadata={"description": "Where its API is, if elsewhere"}
    )
    server_token = _secret()
    message_stream = line(100)
    aws_access_key_id = line(128)
    aws_secret_access_key = _secret()
    configuration_set = line(64)
    verification_key = fields.String(
        validate=[validate.Length(1, 1000), _check_key],
        metadata={"description": "SendGrid's key of signed event webhooks; without it none are taken"},
    )
    signing_key = _secret()
    callback_password = _secret()
    dkim_domain = fields.String(validate=_DOMAIN, metadata={"description": "The domain that signs mails"})
    dkim_selector = fields.String(validate=_SELECTOR, metadata={"description": "Where in it the public key is"})
    dkim_private_key = fields.String(
        load_only=True,
        validate=[validate.Length(1, 10_000), _check_dkim_key],
        metadata={"description": "An RSA key in PEM; never comes back"},
    )
    topic_arn = line(256, metadata={"description": "The topic by which SES tells what became of mails"})

    @validates_schema
    def check_kind(self, data: dict[str, Any], **_: Any) -> None:
        """Each kind is told what it needs, and nothing that it does not know."""
        kind = data["provider_type"]
        known = {"provider_type", *NEEDED[kind], *OPTIONAL[kind]}
        faults = {name: ["Is missing."] for name in NEEDED[kind] if name not in data}
        faults |= {name: [f"Is not for {kind}."] for name in data if name not in known}
        if ("dkim_domain" in data) is not ("dkim_selector" in data):
            faults["dkim_selector"] = ["Goes with dkim_domain."]
        if "region" in data and not _is_region(kind, data["region"]):
            faults["region"] = ["Is not one of its regions."]
        if faults:
            raise ValidationError(faults)

    @post_load
    def settle(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Say in one way how the connection of SMTP is encrypted."""
        wrapped, upgraded = data.pop("use_ssl", None), data.pop("use_tls", None)
        if data["provider_type"] != "smtp":
            return data
        port = data.get("port", 587)
        guessed = "tls" if wrapped or (wrapped is None and port == TLS_PORT) else "starttls"
        if upgraded is False and not wrapped:
            guessed = "none"
        security = data.get("security", guessed)
        if data.get("password") and security == "none":
            raise ValidationError("A password is not sent without encryption.", "security")
        return {**data, "security": security, "port": port}


def _is_region(kind: str, region: str) -> bool:
    return bool(_AWS_REGION.fullmatch(region)) if kind == "ses" else region in REGIONS


class ProviderOrder(Schema):
    """A provider, and which mails go by it."""

    name = fields.String(load_default="default", validate=_NAME)
    provider_config = fields.Nested(ProviderConfig, required=True)
    default_from_email = address(required=True, metadata={"example": "shop@shop.example"})
    default_from_name = line(100, load_default=None, allow_none=True)
    is_primary = fields.Boolean(load_default=True, metadata={"description": "For mails to one"})
    is_bulk = fields.Boolean(load_default=True, metadata={"description": "For mails to many"})
    weight = fields.Integer(load_default=1, validate=validate.Range(1, 100))
    rate_limit_per_second = fields.Integer(load_default=10, validate=validate.Range(1, 1000))


class ProvidersOrder(Schema):
    """All providers there are to be; those that are not among them go. The fields of one are a list of that one."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    providers = fields.List(fields.Nested(ProviderOrder), required=True, validate=validate.Length(max=10))

    @pre_load
    def gather(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Read the fields of one provider as a list."""
        if "provider_config" not in data:
            return data
        whose = {name: data[name] for name in ("organization_id",) if name in data}
        return {**whose, "providers": [{name: value for name, value in data.items() if name not in whose}]}

    @validates_schema
    def refuse_doubles(self, data: dict[str, Any], **_: Any) -> None:
        """Each has a name of its own."""
        names = [one["name"] for one in data["providers"]]
        if len(set(names)) < len(names):
            raise ValidationError("Two of them have the same name.", "providers")


class ProviderSchema(Schema):
    """A provider, without what opens it."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    provider_type = fields.String(required=True, attribute="kind")
    config = fields.Dict(keys=fields.String(), required=True)
    default_from_email = fields.String(required=True)
    default_from_name = fields.String(required=True, allow_none=True)
    is_primary = fields.Boolean(required=True)
    is_bulk = fields.Boolean(required=True)
    weight = fields.Integer(required=True)
    rate_limit_per_second = fields.Integer(required=True)
    failures = fields.Integer(required=True, metadata={"description": "In a row"})
    open_until = Timestamp(required=True, allow_none=True, metadata={"description": "Until when it is left alone"})
    callback_path = fields.String(
        required=True, allow_none=True, metadata={"description": "Where it is to tell what became of mails"}
    )


class OwnerQuery(Schema):
    """Whose."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class OwnerChoice(OwnerQuery):
    """Whose."""


class CallbackTaken(Schema):
    """What came of a request of a provider."""

    news = fields.Integer(required=True, metadata={"description": "How much of it was news"})


class ValidationBegun(Schema):
    """Which providers are tried."""

    providers = fields.List(fields.String(), required=True)
