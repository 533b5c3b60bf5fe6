"""Logins at other providers: GitHub, Google, and any issuer of OpenID Connect."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request
from flask.views import MethodView

from app.http import Reply, limit_rate, platform, public, transaction
from app.identity.cookies import read_state_cookie, set_state_cookie
from app.identity.external_logins import begin, find_or_make_user, take_up, use_id_token
from app.identity.gateways import Profile, Provider, open_provider
from app.identity.gateways.base import Secrets
from app.identity.logins import Login, admit, refuse_challenged
from app.identity.providers import read_providers
from app.identity.routes.base import auth
from app.identity.routes.letting_in import origin, welcome
from app.identity.schemas import providers as schemas
from app.identity.schemas.accounts import BODY, SignedIn
from app.kernel.errors import FieldError, Invalid, NotFound

PROVIDERS = "headrace.providers"


@auth.record_once
def _open_providers(state: Any) -> None:
    parts = state.app.extensions["headrace"]
    found = read_providers(parts.oauth_providers, allow_http=parts.is_development)
    state.app.extensions[PROVIDERS] = {name: open_provider(settings) for name, settings in found.items()}


@auth.route("/auth/<provider>")
class ProviderLogin(MethodView):
    """A login at a provider, to be begun."""

    @auth.response(302)
    @auth.refuses(401, 404, 502)
    @public
    def get(self, provider: str) -> Response:
        """Send a browser to a provider (`github`, `google`, or one of the settings) to log in there"""
        began = _begin(provider)
        return Response(status=302, headers={"Location": began["auth_url"], **_remembering(began["state"])})

    @auth.response(200, schemas.Begun)
    @auth.refuses(401, 404, 502)
    @public
    def post(self, provider: str) -> Reply:
        """The same for an application: the address to open, in the browser that this reply came to"""
        began = _begin(provider)
        return Reply(began, headers=_remembering(began["state"]))


@auth.route("/auth/<provider>/callback")
class ProviderCallback(MethodView):
    """A login at a provider that comes back."""

    @auth.arguments(schemas.CameBack, location="query")
    @auth.response(200, SignedIn)
    @auth.refuses(401, 403, 404, 409, 502)
    @public
    def get(self, query: dict[str, Any], provider: str) -> Reply:
        """Finish a login at a provider: it sends browsers here, each state works once, in the browser that began it"""
        opened = _find(provider)
        with transaction() as session:
            secrets = take_up(session, platform().vault, provider, query["state"], read_state_cookie(request))
        profile = opened.exchange(query["code"], _callback(provider), secrets)
        return welcome(_sign_in(provider, profile), in_body=False)


@auth.route("/auth/login/<provider>")
class ProviderExchange(MethodView):
    """A login that an application has had with a provider by itself."""

    @auth.arguments(schemas.Exchange)
    @auth.response(200, SignedIn)
    @auth.refuses(401, 403, 404, 409, 502)
    @public
    def post(self, body: dict[str, Any], provider: str) -> Reply:
        """Log in by an id token of a provider, once, or by a code with its `redirect_uri` and the verifier"""
        limit_rate("refresh", provider)
        profile = _profile_of(_find(provider), provider, body)
        return welcome(_sign_in(provider, profile), in_body=body["delivery"] == BODY)


def _begin(name: str) -> dict[str, str]:
    provider = _find(name)
    with transaction() as session:
        state, secrets = begin(session, platform().vault, name)
    url = provider.authorization_url(_callback(name), state, secrets)
    return {"provider": name, "auth_url": url, "state": state}


def _find(name: str) -> Provider:
    providers: dict[str, Provider] = current_app.extensions[PROVIDERS]
    if name not in providers:
        raise NotFound("There is no such provider here.", resource_type="provider", resource_id=name)
    return providers[name]


def _profile_of(provider: Provider, name: str, body: dict[str, Any]) -> Profile:
    if "id_token" not in body:
        _refuse_own_callback(name, body["redirect_uri"])
        secrets = Secrets(body.get("code_verifier"), body.get("nonce"))
        return provider.exchange(body["code"], body["redirect_uri"], secrets)
    profile = provider.read_id_token(body["id_token"], body.get("nonce"))
    with transaction() as session:
        use_id_token(session, name, body["id_token"])
    return profile


def _refuse_own_callback(provider: str, redirect_uri: str) -> None:
    """Refuse a code that was sent to us: its login is finished in the browser that began it, by the state it has."""
    if redirect_uri == _callback(provider):
        raise Invalid(errors=[FieldError("redirect_uri", "Must be the application's own address.")])


def _sign_in(provider: str, profile: Profile) -> Login:
    parts = platform()
    with transaction() as session:
        user = find_or_make_user(session, provider, profile, origin(), registration_open=parts.registration_open)
        admitted = admit(session, user, origin(), parts.refresh_token_seconds)
    return refuse_challenged(admitted)


def _callback(provider: str) -> str:
    return f"{platform().public_url}/api/v1/auth/{provider}/callback"


def _remembering(state: str) -> dict[str, str | list[str]]:
    cookie = set_state_cookie(state, secure=not platform().is_development)
    return {"Set-Cookie": cookie, "Cache-Control": "no-store"}
