"""The platform's key changed: what was sealed with the one before opens, and is brought under the new one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import LargeBinary, update

import app.tables
from app.factory import create_app
from app.identity.keys import KeyRing
from app.identity.models import SigningKey
from app.kernel.crypto import Undecryptable, Vault
from app.kernel.db import Database
from app.kernel.sealing import AT_ONCE, SEALED, reseal_all
from app.pipelines.secrets import reveal_secrets
from config.settings import Settings, SettingsInvalid, load_settings
from tests.support.identity import PASSWORD, Person, data_of
from tests.support.tenancy import make_workspace

OLD, NEW = "k" * 32, "l" * 32

# Not sealed by the vault: public, or sealed with what only its sender has.
OTHER_BYTES = {"signing_keys.public_key", "refresh_tokens.sealed_successor"}
# Not secret at all: packed samples and numbers, and hashes of labels.
OPEN_BYTES = {
    "alert_groups.key",
    "alerts.fingerprint",
    "metric_chunks.data",
    "metric_rollups.data",
    "metric_series.fingerprint",
    "scan_series.given",
    "scan_series.scores",
    "series_states.state",
}


def test_every_column_of_bytes_is_named_by_its_room() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in app.tables.METADATA.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert columns == set(SEALED) | OTHER_BYTES | OPEN_BYTES


def test_an_older_key_opens_and_the_newest_seals() -> None:
    sealed = Vault(OLD).encrypt(b"plain", "place")
    both = Vault(NEW, OLD)
    assert both.decrypt(sealed, "place") == b"plain"
    fresh = both.reseal(sealed, "place")
    assert fresh is not None
    assert Vault(NEW).decrypt(fresh, "place") == b"plain"
    assert both.reseal(fresh, "place") is None
    assert both.fingerprints(b"x") == (Vault(NEW).fingerprint(b"x"), Vault(OLD).fingerprint(b"x"))
    for wrong in (Vault(NEW), Vault("m" * 32, NEW)):
        with pytest.raises(Undecryptable):
            wrong.decrypt(sealed, "place")
    with pytest.raises(Undecryptable):
        both.reseal(sealed, "elsewhere")


def test_all_that_is_sealed_comes_under_the_new_key(
    client: FlaskClient, alice: Person, database: Database, settings: Settings
) -> None:
    workspace = make_workspace(database, alice)
    path = f"/api/v1/workspaces/{workspace.id}/secrets"
    data_of(client.post(path, json={"name": "TOKEN", "value": "a value"}, headers=alice.headers), 201)
    data_of(client.post("/api/v1/auth/mfa/enable", json={"current_password": PASSWORD}, headers=alice.headers))
    key = {"headers": {**alice.headers, "Idempotency-Key": "one"}}
    data_of(client.post("/api/v1/organizations", json={"name": "Team"}, **key), 201)
    both, new = Vault(NEW, settings.secret_key), Vault(NEW)
    first, second = reseal_all(database, both), reseal_all(database, both)
    for name in ("workspace_secrets.value", "mfa_factors.sealed_secret", "idempotency_keys.sealed_reply"):
        assert first[name].resealed == 1
    assert first["signing_keys.sealed_private_key"].resealed >= 1
    assert sum(done.resealed for done in second.values()) == 0
    assert sum(done.unreadable for done in (*first.values(), *second.values())) == 0
    assert KeyRing(database, new).signer()
    with database.transaction() as session:
        assert reveal_secrets(session, new, workspace.id, ["TOKEN"]) == {"TOKEN": "a value"}


def test_more_rows_than_one_transaction_takes_and_one_that_nobody_can_read(
    app: Flask, alice: Person, database: Database, settings: Settings
) -> None:
    vault = Vault(settings.secret_key)
    with database.transaction() as session:
        for number in range(AT_ONCE + 5):
            kid = f"key-{number}"
            sealed = vault.encrypt(b"x" * 32, f"signing_keys/{kid}")
            session.add(SigningKey(kid=kid, public_key=b"x" * 32, sealed_private_key=sealed))
        session.flush()
        broken = update(SigningKey).where(SigningKey.kid == "key-7").values(sealed_private_key=b"broken" * 9)
        session.execute(broken)
    done = reseal_all(database, Vault(NEW, settings.secret_key))["signing_keys.sealed_private_key"]
    assert (done.resealed >= AT_ONCE + 4, done.unreadable) == (True, 1)


def test_keys_and_devices_outlive_the_change(
    client: FlaskClient, alice: Person, database: Database, settings: Settings, hints: Any
) -> None:
    body = {"name": "k", "scopes": ["jobs:read"]}
    made = data_of(client.post("/api/v1/api-keys", json=body, headers=alice.headers), 201)["key"]
    changed = replace(settings, secret_key=NEW, secret_key_old=settings.secret_key, rate_limits=False)
    both = create_app(changed, sender=hints, database=database).test_client()
    assert both.get("/api/v1/jobs", headers={"X-API-Key": made}).status_code == 200
    new = create_app(replace(changed, secret_key_old=""), sender=hints, database=database).test_client()
    assert new.get("/api/v1/jobs", headers={"X-API-Key": made}).status_code == 200


def test_the_keys_before_are_read_from_the_settings() -> None:
    needed = {"DATABASE_URL": "postgresql://u:p@h/d", "REDIS_URL": "redis://h", "SECRET_KEY": NEW}
    assert load_settings(needed | {"SECRET_KEY_OLD": f"{OLD}\n{'m' * 32}"}).secret_keys == (NEW, OLD, "m" * 32)
    assert load_settings(needed).secret_keys == (NEW,)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(needed | {"SECRET_KEY_OLD": "tooshort"})
    assert "SECRET_KEY_OLD" in str(caught.value)
    assert "tooshort" not in str(caught.value)
