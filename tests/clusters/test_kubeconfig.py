"""Kubeconfigs: what is read from them, and every way in which one is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.clusters import Access, AccessRules, KubeconfigInvalid, find_access_faults, read_kubeconfig, write_kubeconfig
from app.kernel.addresses import AddressRules
from app.kernel.crypto import Vault
from tests.support.certificates import DAY, Authority

NOW = datetime.now(UTC)
AUTHORITY = Authority()
ALICE = AUTHORITY.issue("alice")
PUBLIC = AccessRules()
LOCAL = AccessRules(AddressRules(allow_private=True, allow_loopback=True), allow_unverified=True, allow_http=True)
SERVER = "https://kube.example.com:6443"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def document() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [
            {"name": "c", "cluster": {"server": SERVER, "certificate-authority-data": encoded(AUTHORITY.pem)}}
        ],
        "users": [{"name": "u", "user": {"token": "the-token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "current-context": "x",
    }


def cluster(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = given["clusters"][0]["cluster"]
    return found


def user(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = given["users"][0]["user"]
    return found


def faults(given: dict[str, Any] | str | bytes, rules: AccessRules = PUBLIC, **options: Any) -> dict[str, str]:
    text = yaml.safe_dump(given) if isinstance(given, dict) else given
    with pytest.raises(KubeconfigInvalid) as caught:
        read_kubeconfig(text, rules, now=NOW, **options)
    return {fault.field: fault.message for fault in caught.value.errors}


def test_a_kubeconfig_with_a_token_is_read() -> None:
    access = read_kubeconfig(yaml.safe_dump(document()), PUBLIC, now=NOW)
    assert access == Access(SERVER, ca=AUTHORITY.pem, token="the-token")


def test_a_kubeconfig_with_a_client_certificate_is_read() -> None:
    given = document()
    given["users"][0]["user"] = {
        "client-certificate-data": encoded(ALICE.certificate),
        "client-key-data": encoded(ALICE.key),
    }
    access = read_kubeconfig(yaml.safe_dump(given), PUBLIC, now=NOW)
    assert (access.certificate, access.key, access.token) == (ALICE.certificate, ALICE.key, None)


def test_another_context_can_be_named_and_what_it_does_not_use_is_not_judged() -> None:
    given = document()
    given["contexts"].append({"name": "y", "context": {"cluster": "c", "user": "v"}})
    given["users"].append({"name": "v", "user": {"exec": {"command": "sh"}}})
    assert read_kubeconfig(yaml.safe_dump(given), PUBLIC, now=NOW, context="x").token == "the-token"
    assert "must not run a program" in faults(given, context="y")["users[1].user.exec"]
    assert "'z' not" in faults(given, context="z")["contexts"]


def test_what_is_written_for_a_user_is_read_again() -> None:
    for access in (
        Access(SERVER, ca=AUTHORITY.pem, token="t"),
        Access("https://127.0.0.1:1/k8s", token="t", server_name="kube.internal", verify=False),
        Access(SERVER, certificate=ALICE.certificate, key=ALICE.key),
    ):
        written = write_kubeconfig("acme", access, namespace="team-a")
        assert read_kubeconfig(written, LOCAL, now=NOW) == access
        assert yaml.safe_load(written)["contexts"][0]["context"]["namespace"] == "team-a"


def test_an_access_is_kept_in_the_vault_and_never_shown() -> None:
    access = Access(SERVER, ca=AUTHORITY.pem, token="hush", certificate=ALICE.certificate, key=ALICE.key)
    vault = Vault("a key of the tests, long enough to be one")
    assert Access.from_json(vault.decrypt(vault.encrypt(access.to_json(), "c"), "c")) == access
    assert "hush" not in repr(access)
    assert "PRIVATE KEY" not in repr(access)


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        (user, "exec", {"command": "aws"}, "must not run a program"),
        (user, "auth-provider", {"name": "gcp"}, "must not run a program"),
        (user, "tokenFile", "/etc/passwd", "must not name a file"),
        (user, "client-certificate", "/etc/passwd", "must not name a file"),
        (user, "client-key", "/etc/passwd", "must not name a file"),
        (user, "username", "root", "is not supported"),
        (user, "as", "system:admin", "must not act as somebody else"),
        (user, "magic", "x", "is not known"),
        (user, "token", 7, "must be text"),
        (user, "token", "two words", "printable ASCII"),
        (user, "token", "x" * 16385, "1 to 16384"),
        (cluster, "certificate-authority", "/etc/ssl/ca.pem", "must not name a file"),
        (cluster, "proxy-url", "http://127.0.0.1:3128", "must not name a proxy"),
        (cluster, "insecure-skip-tls-verify", True, "verifies every server's certificate"),
        (cluster, "insecure-skip-tls-verify", "yes", "must be true or false"),
        (cluster, "certificate-authority-data", "no base64!", "is not PEM in base64"),
        (cluster, "certificate-authority-data", encoded("hello"), "is not a certificate in PEM"),
        (cluster, "tls-server-name", "a b", "is not a valid host name"),
        (cluster, "server", "http://kube.example.com", "must be an https URL"),
        (cluster, "server", "ftp://kube.example.com", "must be an https URL"),
        (cluster, "server", "https://127.0.0.1:6443", "on this machine"),
        (cluster, "server", "https://169.254.169.254/", "link-local"),
        (cluster, "server", "https://[::ffff:10.0.0.1]:6443", "private network"),
        (cluster, "server", "https://admin:pw@kube.example.com", "user name or password"),
        (cluster, "server", "https://kube.example.com/?x=1", "query"),
        (cluster, "server", "https://kube.example.com:99999", "well-formed"),
        (cluster, "server", "https://", "host name"),
        (cluster, "server", "https://a\r\nb", "must be an https URL"),
        (cluster, "server", "https://kube.example.com/../x", "path"),
        (cluster, "server", "https://" + "a" * 3000, "2048"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(part: Callable[..., Any], key: str, value: object, said: str) -> None:
    given = document()
    part(given)[key] = value
    path = "users[0].user" if part is user else "clusters[0].cluster"
    assert said in faults(given)[f"{path}.{key}"]


def test_all_faults_are_named_at_once() -> None:
    given = document()
    user(given).update({"exec": {}, "client-key": "/k"})
    cluster(given)["proxy-url"] = "http://p"
    assert len(faults(given)) == 3


@pytest.mark.parametrize(
    ("starts", "ends", "said"),
    [(-2 * DAY, -DAY, "is expired: it was valid from"), (DAY, 2 * DAY, "is not valid before")],
)
def test_a_certificate_out_of_its_time_is_named_with_its_dates(starts: timedelta, ends: timedelta, said: str) -> None:
    late = AUTHORITY.issue("alice", starts=starts, ends=ends)
    given = document()
    given["users"][0]["user"] = {
        "client-certificate-data": encoded(late.certificate),
        "client-key-data": encoded(late.key),
    }
    message = faults(given)["users[0].user.client-certificate-data"]
    assert said in message
    assert (NOW + (ends if ends < timedelta(0) else starts)).strftime("%Y-%m-%d") in message


def test_the_authoritys_certificate_must_be_good_now() -> None:
    late = AUTHORITY.issue("old", starts=-2 * DAY, ends=-DAY)
    given = document()
    cluster(given)["certificate-authority-data"] = encoded(late.certificate)
    assert "expired" in faults(given)["clusters[0].cluster.certificate-authority-data"]
    cluster(given)["certificate-authority-data"] = encoded(late.certificate + AUTHORITY.pem)
    assert read_kubeconfig(yaml.safe_dump(given), PUBLIC, now=NOW).ca == late.certificate + AUTHORITY.pem


def test_a_key_must_be_that_of_its_certificate() -> None:
    given = document()
    given["users"][0]["user"] = {"client-certificate-data": encoded(ALICE.certificate)}
    assert faults(given) == {"users[0].user.client-key-data": "is missing beside its certificate"}
    user(given)["client-key-data"] = encoded(AUTHORITY.issue("bob").key)
    assert faults(given) == {"users[0].user.client-key-data": "is not the key of the client certificate"}
    given["users"][0]["user"] = {}
    assert "give a token" in faults(given)["users[0].user.token"]


def test_a_missing_server_is_named() -> None:
    given = document()
    del cluster(given)["server"]
    assert faults(given) == {"clusters[0].cluster.server": "is missing"}


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("", "", "is empty"),
        ("[]", "", "must be a map"),
        ("a: &x 1\nb: *x", "", "anchor"),
        ("x" * 300_000, "", "longer than"),
        ("kind: Secret", "kind", "must be Config"),
        ("kind: Config", "current-context", "is missing"),
        ("current-context: x", "contexts", "must be a list"),
        ("current-context: x\ncontexts: [3, {name: x}]", "contexts[1].context", "must be a map"),
        ("current-context: x\ncontexts: [{name: x}, {name: x}]", "contexts", "more than once"),
        ("current-context: [x]\ncontexts: [{name: [x]}]", "contexts", "more than once|not"),
    ],
)
def test_text_that_is_no_kubeconfig_is_refused(text: str, field: str, said: str) -> None:
    assert any(words in faults(text)[field] for words in said.split("|"))


def test_a_kubeconfig_with_twenty_contexts_is_refused() -> None:
    given = document()
    given["contexts"] = [{"name": f"x{n}", "context": {"cluster": "c", "user": "u"}} for n in range(20)]
    assert "has 20 contexts; at most 10" in faults(given)["contexts"]


def test_settings_may_allow_this_machine_plain_http_and_unverified_servers() -> None:
    given = document()
    cluster(given).update({"server": "http://127.0.0.1:8001"})
    assert read_kubeconfig(yaml.safe_dump(given), LOCAL, now=NOW).server == "http://127.0.0.1:8001"
    given["clusters"][0]["cluster"] = {"server": "https://10.0.0.1", "insecure-skip-tls-verify": True}
    assert not read_kubeconfig(yaml.safe_dump(given), LOCAL, now=NOW).verify
    cluster(given)["server"] = "http://10.0.0.1"
    assert "https" in faults(given, LOCAL)["clusters[0].cluster.server"]


def test_an_access_given_in_parts_is_judged_by_the_same_rules() -> None:
    found = find_access_faults(Access("https://10.0.0.1", ca="x", token=""), PUBLIC, NOW)
    assert [fault.field for fault in found] == ["server", "ca", "token"]


KEYS = [
    "apiVersion", "kind", "clusters", "users", "contexts", "current-context", "name", "cluster", "user", "context",
    "server", "token", "exec", "certificate-authority-data", "client-key-data", "insecure-skip-tls-verify",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["x", "c", "u", SERVER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.sampled_from(["clusters", "users", "contexts", "nothing"]))
def test_any_document_is_read_or_refused(values: dict[str, Any], kept: str) -> None:
    mixed = document() | {key: value for key, value in values.items() if key != kept}
    try:
        access = read_kubeconfig(json.dumps(mixed), PUBLIC, now=NOW)
    except KubeconfigInvalid as refused:
        faults = refused.errors
    else:
        faults = ()
        assert access.server.startswith("https://")
    assert all(fault.message and "the-token" not in fault.message for fault in faults)
