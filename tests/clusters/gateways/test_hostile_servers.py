"""Clusters that are slow, broken, hostile or not clusters at all: each costs a bounded time and says what it is."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from app.clusters import Access
from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import (
    AccessDenied,
    AnswerTooLarge,
    ClusterAway,
    ClusterRefused,
    NotAuthenticated,
    NotKubernetes,
    ObjectInvalid,
    ObjectNotFound,
    RestCluster,
    kinds,
    list_all,
)
from tests.clusters.gateways.settings import LOOPBACK, SHORT
from tests.support.certificates import Authority
from tests.support.kubernetes import ApiServer


def test_a_black_hole_costs_the_first_bytes_deadline(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("black hole")
    began = time.monotonic()
    with pytest.raises(ClusterAway, match="in time"):
        cluster.read_version()
    assert time.monotonic() - began < 3


def test_an_answer_that_drips_is_given_up_too(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("drip", seconds=0.05)
    began = time.monotonic()
    with pytest.raises(ClusterAway, match="in time"):
        cluster.read_version()
    assert time.monotonic() - began < 3


def test_a_slow_answer_within_the_deadline_is_taken(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("delay", seconds=0.2)
    assert cluster.read_version().git_version == server.api.version


def test_an_answer_of_a_hundred_megabytes_is_refused_unread(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("answer", status=200, body=b"x" * 1_000_000, copies=100)
    began = time.monotonic()
    with pytest.raises(AnswerTooLarge):
        cluster.list_page(kinds.POD, "default")
    assert time.monotonic() - began < 3


def test_html_is_not_kubernetes(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("answer", times=1, status=200, headers={"Content-Type": "text/html"}, body=b"<html>Hello</html>")
    with pytest.raises(NotKubernetes, match="not JSON"):
        cluster.read_version()
    server.faults.add("answer", times=1, status=404, body=b"<html>Not here</html>")
    with pytest.raises(NotKubernetes, match="404 without a reason"):
        cluster.get(kinds.NAMESPACE, "default")


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b'"text"', b"[" * 5000, b"\xff\xfe", b"", b'{"items": 7}', b'{"metadata": []}']
)
def test_json_of_another_form_is_not_kubernetes(server: ApiServer, cluster: RestCluster, body: bytes) -> None:
    server.faults.add("answer", status=200, body=body)
    with pytest.raises(NotKubernetes):
        cluster.list_page(kinds.POD, "default")


@pytest.mark.parametrize(
    "told",
    [
        b"{}",
        b'{"metadata": {}}',
        b'{"metadata": {"name": 7}}',
        b'{"metadata": {"name": "n", "labels": []}}',
        b'{"metadata": {"name": "n", "annotations": {"a": 7}}}',
        b'{"metadata": {"name": "n", "finalizers": [{}]}}',
        b'{"metadata": {"name": "n", "uid": []}}',
        b'{"metadata": {"name": "n"}, "spec": []}',
        b'{"metadata": {"name": "n"}, "status": "x"}',
    ],
)
def test_an_object_of_another_form_is_not_kubernetes(server: ApiServer, cluster: RestCluster, told: bytes) -> None:
    server.faults.add("answer", status=200, body=told)
    with pytest.raises(NotKubernetes, match="not formed"):
        cluster.get(kinds.POD, "n", "default")
    server.faults.clear()
    server.faults.add("answer", status=200, body=b'{"items": [' + told + b"]}")
    assert cluster.list_page(kinds.POD, "default").items == ()


def test_no_text_of_a_server_holds_what_the_database_does_not_take(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("answer", status=200, body=b'{"metadata": {"name": "a\\u0000b"}}')
    assert cluster.get(kinds.POD, "n", "default")["metadata"]["name"] == "a\ufffdb"


def test_answers_without_end_are_given_up(server: ApiServer) -> None:
    page = b'{"metadata": {"continue": "x"}, "items": [{"metadata": {"name": "n"}}]}'
    server.faults.add("answer", status=200, body=page + b" " * 50_000)
    cluster = RestCluster(server.access(), rules=LOOPBACK, limits=replace(SHORT, max_total=1_000_000))
    with pytest.raises(AnswerTooLarge, match="more than 1000000 bytes"):
        list(list_all(cluster, kinds.POD))
    cluster.close()


def test_redirects_are_not_followed(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("answer", status=302, headers={"Location": "https://169.254.169.254/"})
    before = len(server.seen)
    with pytest.raises(NotKubernetes, match="redirects"):
        cluster.read_version()
    assert len(server.seen) == before + 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_an_overloaded_server_is_away_for_as_long_as_it_says(
    server: ApiServer, cluster: RestCluster, status: int
) -> None:
    server.faults.add("answer", status=status, headers={"Retry-After": "7"}, body=b"busy")
    with pytest.raises(ClusterAway) as caught:
        cluster.read_version()
    assert caught.value.retry_after == 7


def test_an_object_that_cannot_be_merged_is_the_objects_fault_though_the_server_says_500(
    server: ApiServer, cluster: RestCluster
) -> None:
    said = b'{"kind": "Status", "code": 500, "message": "failed to create typed patch object: .spec.ports: element 0"}'
    server.faults.add("answer", status=500, body=said)
    with pytest.raises(ObjectInvalid, match="element 0"):
        cluster.apply(kinds.CONFIG_MAP, {"metadata": {"name": "c", "namespace": "default"}}, manager="tests")


def test_a_wait_of_a_year_is_cut(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("answer", status=503, headers={"Retry-After": "31536000"})
    with pytest.raises(ClusterAway) as caught:
        cluster.read_version()
    assert caught.value.retry_after == 300


def test_what_a_server_says_is_cut_and_cleaned(server: ApiServer, cluster: RestCluster) -> None:
    said = b'{"kind": "Status", "reason": "Forbidden", "code": 403, "message": "\\u001b[31m' + b"x" * 5000 + b'"}'
    server.faults.add("answer", status=403, body=said)
    with pytest.raises(AccessDenied) as caught:
        cluster.read_version()
    assert len(caught.value.message) <= 500
    assert "\x1b" not in caught.value.message


def test_a_server_that_went_away_between_two_requests_is_connected_to_anew(server: ApiServer) -> None:
    cluster = RestCluster(server.access(), rules=LOOPBACK, limits=SHORT)
    cluster.read_version()
    server.faults.add("black hole", times=1)
    with pytest.raises(ClusterAway):
        cluster.read_version()
    server.faults.clear()
    assert cluster.is_ready()
    cluster.close()


def test_one_connection_serves_many_requests(server: ApiServer, cluster: RestCluster) -> None:
    before = len(server.connections)
    for _ in range(3):
        cluster.list_page(kinds.NAMESPACE)
        with pytest.raises(ObjectNotFound):
            cluster.get(kinds.POD, "x", "default")
    assert len(server.connections) == before + 1


def test_a_server_that_is_not_there_is_away() -> None:
    cluster = RestCluster(Access("https://127.0.0.1:1", token="t"), rules=LOOPBACK, limits=SHORT)
    with pytest.raises(ClusterAway, match="cannot be connected to"):
        cluster.read_version()


def test_a_server_of_another_authority_is_not_trusted(server: ApiServer) -> None:
    access = Access(server.url, ca=Authority().pem, token=server.admin_token)
    seen = len(server.seen)
    with pytest.raises(ClusterRefused, match="certificate cannot be trusted"):
        RestCluster(access, rules=LOOPBACK, limits=SHORT).read_version()
    assert len(server.seen) == seen


def test_a_certificate_must_be_for_the_name_of_the_server(server: ApiServer) -> None:
    def ask(name: str) -> str:
        access = Access(server.url, ca=server.authority.pem, token=server.admin_token, server_name=name)
        cluster = RestCluster(access, rules=LOOPBACK, limits=SHORT)
        try:
            return cluster.read_version().git_version
        finally:
            cluster.close()

    assert ask("localhost") == server.api.version
    with pytest.raises(ClusterRefused, match="certificate cannot be trusted"):
        ask("kube.example.com")


def test_a_client_certificate_says_who_asks(server: ApiServer) -> None:
    admin = RestCluster(server.access_by_certificate("carol", "system:masters"), rules=LOOPBACK)
    assert admin.can_i("delete", kinds.NAMESPACE)
    admin.close()
    dave = RestCluster(server.access_by_certificate("dave"), rules=LOOPBACK)
    with pytest.raises(AccessDenied, match='User "dave"'):
        dave.list_page(kinds.NAMESPACE)
    dave.close()


@pytest.mark.parametrize("server_url", ["https://127.0.0.1:6443", "https://localhost:6443", "https://169.254.169.254"])
def test_addresses_that_are_not_allowed_are_not_connected_to(server_url: str) -> None:
    cluster = RestCluster(Access(server_url, token="t"), rules=AddressRules(allow_private=True), limits=SHORT)
    with pytest.raises(ClusterRefused, match="must not be"):
        cluster.read_version()


def test_a_public_name_that_leads_to_this_machine_is_refused_when_it_is_connected_to(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.web.server_port
    monkeypatch.setattr("socket.getaddrinfo", lambda host, port, **_: [(0, 0, 0, "", ("127.0.0.1", port))])
    access = Access(f"https://kube.example.com:{port}", ca=server.authority.pem, token=server.admin_token)
    seen = len(server.seen)
    with pytest.raises(ClusterRefused, match="on this machine"):
        RestCluster(access, rules=AddressRules(), limits=SHORT).read_version()
    assert len(server.seen) == seen


def test_a_token_is_in_no_error(server: ApiServer) -> None:
    token = "a-token-that-must-not-be-told"
    cluster = RestCluster(server.access(token), rules=LOOPBACK, limits=SHORT)
    with pytest.raises(NotAuthenticated) as caught:
        cluster.list_page(kinds.NAMESPACE)
    assert token not in repr(caught.value) + str(caught.value) + repr(caught.value.__context__)
    cluster.close()


def test_names_cannot_lead_elsewhere(cluster: RestCluster) -> None:
    for name in ("../secrets/x", "a/b", "", "x" * 254, "..", "a%2fb"):
        with pytest.raises(ObjectInvalid):
            cluster.get(kinds.POD, name, "default")
    for namespace in ("a/../b", "Upper", "", "n" * 64):
        with pytest.raises(ObjectInvalid):
            cluster.list_page(kinds.POD, namespace)


class CalledOff(Exception):
    """The work was cancelled."""


def test_whoever_waits_can_be_called_off(server: ApiServer) -> None:
    ends = time.monotonic() + 0.3

    def keep() -> None:
        if time.monotonic() > ends:
            raise CalledOff

    cluster = RestCluster(server.access(), rules=LOOPBACK, keep=keep)
    server.faults.add("black hole")
    began = time.monotonic()
    with pytest.raises(CalledOff):
        cluster.read_version()
    assert time.monotonic() - began < 2


def test_a_server_says_when_it_is_not_ready(server: ApiServer, cluster: RestCluster) -> None:
    server.api.is_ready = False
    assert not cluster.is_ready()
    server.api.is_ready = True
    assert cluster.is_ready()


def test_certificates_that_cannot_be_used_are_refused(server: ApiServer) -> None:
    with pytest.raises(ClusterRefused):
        RestCluster(Access(server.url, ca="nonsense", token="t"), rules=LOOPBACK)
