"""Protection against server-side request forgery (SSRF): from which hosts a file is fetched.

A platform, or a redirect of a file server, may name any address. Private networks are allowed, since the platform may
be in one. This machine itself, link-local addresses and the metadata services of clouds, which give out credentials,
are not. A host name is resolved before the request, so a name that gets another address just after that is not noticed.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from airflow_provider_aihub.http.errors import ParameterError
from airflow_provider_aihub.http.protocol import Resolve

if TYPE_CHECKING:
    from airflow_provider_aihub.http.dialect import ClientConfig
    from airflow_provider_aihub.http.protocol import Steps

Address: TypeAlias = IPv4Address | IPv6Address
Addresses: TypeAlias = Collection[Address]

THIS_MACHINE: Final = "is this machine itself"
THIS_LINK: Final = "is link-local"
METADATA: Final = "tells a cloud's machines their credentials"

METADATA_NAMES: Final = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.tencentyun.com",
    }
)
METADATA_ADDRESSES: Final = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # most clouds
            "169.254.170.2",  # Amazon ECS
            "169.254.170.23",  # Amazon EKS
            "169.254.0.23",  # Tencent
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle
            "fd00:ec2::254",
            "fd00:ec2::23",
        ),
    )
)
NAT64: Final = IPv6Network("64:ff9b::/96")


def allowed_addresses(url: str, config: ClientConfig, before: Addresses) -> Steps[Addresses]:
    """Return the IP addresses of a URL's host, if a file may be fetched from it; none if its name cannot be resolved.

    A loopback or link-local address is allowed only if a service of the platform has one as well, as an emulator does.
    A metadata address is allowed only if a service of the platform has that very host name.

    :param before: Addresses of the host that redirected to this one. If they are public, these must be public, too.
    :raises ParameterError: No file may be fetched from the host.
    """
    host = _host(url)
    found = yield from _addresses(host)
    own = {_host(address) for address in config.addresses.values()}
    problem = None
    if any(one.is_global for one in before) and not all(one.is_global for one in found):
        problem = "is in a private network, to which a public server redirects"
    elif host not in own:
        kinds = {METADATA} if host in METADATA_NAMES else {_kind(one) for one in found} - {None}
        for place in own if kinds else ():
            kinds -= {_kind(one) for one in (yield from _addresses(place))} - {METADATA}
        problem = min(kinds, key=str, default=None)
    if problem is None:
        return found
    raise ParameterError(
        f"The file server {host} was not asked to give a file, because it {problem}; see which addresses "
        f"{config.dialect.name} gives to its files."
    )


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _addresses(host: str) -> Steps[Addresses]:
    try:
        return [_address(host)]
    except ValueError:
        found: Collection[str] = yield Resolve(host)
    return [_address(text) for text in found]


def _address(text: str) -> Address:
    """Parse an IP address. An IPv4 address that is written as IPv6 becomes the IPv4 address."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _kind(address: Address) -> str | None:
    """Return why no file may be fetched from an address, as the verb of a message; ``None`` if one may."""
    if address in METADATA_ADDRESSES:
        return METADATA
    if address.is_loopback or address.is_unspecified:
        return THIS_MACHINE
    return THIS_LINK if address.is_link_local else None
