"""Where addresses lead, in all the ways there are to write one."""

from __future__ import annotations

import pytest

from app.kernel.addresses import AddressRules, Reach, find_reach

PUBLIC_ONLY = AddressRules()
OWN_NETWORK = AddressRules(allow_private=True, allow_loopback=True)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "api.example.com", "64:ff9b::808:808"])
def test_public_hosts_are_allowed_everywhere(host: str) -> None:
    assert find_reach(host) is Reach.PUBLIC
    assert PUBLIC_ONLY.find_fault(host) is None


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.9", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1", "kube.local"])
def test_private_networks_need_to_be_allowed(host: str) -> None:
    assert "private network" in (PUBLIC_ONLY.find_fault(host) or "")
    assert OWN_NETWORK.find_fault(host) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "localhost",
        "a.localhost.",
    ],
)
def test_this_machine_needs_to_be_allowed_however_it_is_written(host: str) -> None:
    assert find_reach(host) is Reach.LOOPBACK
    assert "on this machine" in (PUBLIC_ONLY.find_fault(host) or "")
    assert OWN_NETWORK.find_fault(host) is None
    assert AddressRules(allow_private=True).find_fault(host)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "168.63.129.16",
        "100.100.100.200",
        "0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1::808:808",
        "64:ff9b:1:ffff:a9:fea9:fe00:0",
    ],
)
def test_metadata_and_link_local_addresses_are_refused_whatever_is_allowed(host: str) -> None:
    assert find_reach(host) is Reach.FORBIDDEN
    assert OWN_NETWORK.find_fault(host)
