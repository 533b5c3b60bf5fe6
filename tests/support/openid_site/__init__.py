"""The OpenID provider of the tests: Django OAuth Toolkit on Django and oauthlib, which share nothing with the library
by which the platform logs in. It insists on PKCE, on the secrets of applications and on their registered addresses.
`python -m tests.support.openid_site PORT` serves it until it is killed.
"""

PASSWORD = "a password at the provider"
"""Of everybody who has an account there."""

SECRET = "a client's secret"
"""Of every application that is registered there."""
