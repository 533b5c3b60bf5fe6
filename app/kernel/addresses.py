"""Which network addresses the platform may be sent to by what somebody else wrote: a repository, a cluster, a webhook.

A name may lead anywhere and lead elsewhere a moment later, so what counts is the address that is connected to; by a
name's text only the plain cases are told, early and politely.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Azure's and Alibaba's metadata lie outside of the link-local range where the other clouds keep theirs.
_METADATA: Final = frozenset({ipaddress.IPv4Address("168.63.129.16"), ipaddress.IPv4Address("100.100.100.200")})
_METADATA_6: Final = ipaddress.IPv6Address("fd00:ec2::254")
# RFC 6052, and the deprecated IPv4-compatible form: the last 32 bits are an IPv4 address.
_WRAPPING: Final = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "::/96"))
# RFC 8215: a translator of the own network, which alone knows where in it an IPv4 address is and where that leads.
_LOCAL_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class Reach(StrEnum):
    """Where an address leads. `forbidden` ones no setting allows: link-local, metadata, multicast, unspecified, and
    those that the own network translates into others."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What an installation allows beyond public addresses."""

    allow_private: bool = False
    allow_loopback: bool = False

    def find_fault(self, host: str) -> str | None:
        """Return why a host, an address or a name, must not be connected to, or None. Names are judged by their text
        alone: judge again the address that a name leads to."""
        reach = find_reach(host)
        if reach is Reach.FORBIDDEN:
            return "must not be a link-local, metadata, multicast, translated or unspecified address"
        if reach is Reach.LOOPBACK and not self.allow_loopback:
            return "must not be on this machine: this installation does not allow it"
        if reach is Reach.PRIVATE and not self.allow_private:
            return "must not be on a private network: this installation does not allow it"
        return None


def find_reach(host: str) -> Reach:
    """Return where a host leads by its text alone; a name that is not plainly local counts as public."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.LOOPBACK
    if name.endswith((".local", ".internal")):
        return Reach.PRIVATE
    address = read_address(name)
    return Reach.PUBLIC if address is None else _reach_of(address)


def is_private_host(host: str) -> bool:
    """Tell whether a host is, by its text alone, this machine or on a network that is not public."""
    return find_reach(host) is not Reach.PUBLIC


def read_address(name: str) -> Address | None:
    """Return the address that a text writes, or None where it is a name."""
    try:
        if ":" in name:
            return ipaddress.IPv6Address(name)
        # The C library's reading, which git and curl share: 127.1, 0x7f000001 and 2130706433 are addresses too.
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, ValueError):
        return None


def _reach_of(address: Address) -> Reach:
    inner = _wrapped(address)
    if inner is not None:
        return _reach_of(inner)
    if address.is_loopback:
        return Reach.LOOPBACK
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return Reach.FORBIDDEN
    if address in _METADATA or address == _METADATA_6 or address in _LOCAL_TRANSLATION:
        return Reach.FORBIDDEN
    return Reach.PUBLIC if address.is_global else Reach.PRIVATE


def _wrapped(address: Address) -> ipaddress.IPv4Address | None:
    if not isinstance(address, ipaddress.IPv6Address) or address.is_loopback or address.is_unspecified:
        return None
    if any(address in network for network in _WRAPPING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
