"""The setting that names the providers."""

from __future__ import annotations

import pytest

from app.identity.providers import read_providers


@pytest.mark.parametrize(
    "said",
    [
        "no json",
        "[]",
        '{"Corp!": {}}',
        '{"login": {"client_id": "x", "issuer": "https://x"}}',
        '{"corp": {"client_id": "x"}}',
        '{"corp": {"client_id": "x", "issuer": "http://x"}}',
        '{"corp": {"issuer": "https://x", "client_secret": "very-secret"}}',
        '{"corp": {"client_id": "x", "issuer": "https://x", "client_secret": 7}}',
        '{"github": {"client_id": "x", "secret": "very-secret"}}',
    ],
)
def test_settings_that_are_wrong_are_told_without_their_values(said: str) -> None:
    with pytest.raises(ValueError, match="OAUTH_PROVIDERS") as caught:
        read_providers(said, allow_http=False)
    assert "very-secret" not in str(caught.value)
    assert "very-secret" not in repr(
        read_providers('{"github": {"client_id": "x", "client_secret": "very-secret"}}', allow_http=False)
    )
