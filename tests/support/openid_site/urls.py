"""The provider's addresses: its own, and two by which tests put accounts and applications in."""

from __future__ import annotations

import json

from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from oauth2_provider.models import Application

from tests.support.openid_site import PASSWORD, SECRET
from tests.support.openid_site.people import CLAIMS


def add_account(request: HttpRequest, subject: str) -> HttpResponse:
    """Give somebody an account, with the claims of the body."""
    CLAIMS[subject] = json.loads(request.body)
    User.objects.create_user(subject, password=PASSWORD)
    return HttpResponse(status=204)


def add_client(request: HttpRequest, client_id: str) -> HttpResponse:
    """Register an application, with the redirect addresses of the body."""
    Application.objects.update_or_create(
        client_id=client_id,
        defaults={
            "client_secret": SECRET,
            "redirect_uris": " ".join(json.loads(request.body)["redirect_uris"]),
            "client_type": Application.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "algorithm": Application.RS256_ALGORITHM,
            "skip_authorization": True,
        },
    )
    return HttpResponse(status=204)


urlpatterns = [
    path("login/", LoginView.as_view()),
    path("accounts/<str:subject>", add_account),
    path("clients/<str:client_id>", add_client),
    path("", include("oauth2_provider.urls")),
]
