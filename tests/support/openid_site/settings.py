"""Django's settings of the provider."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_KEY = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
_FORM = '<form method="post">{% csrf_token %}{{ form }}</form>'
_PAGES = ("django.template.loaders.locmem.Loader", {"registration/login.html": _FORM})

SECRET_KEY = "of this process alone"
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "tests.support.openid_site.urls"
LOGIN_URL = "/login/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{os.environ['OPENID_FOLDER']}/provider.sqlite"}
}
# The cost of a good one is not what these tests are about.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "oauth2_provider",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [_PAGES]}},
]
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": _KEY.decode(),
    "OAUTH2_VALIDATOR_CLASS": "tests.support.openid_site.people.Validator",
    "PKCE_REQUIRED": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "SCOPES": {"openid": "openid", "email": "email", "profile": "profile"},
}
