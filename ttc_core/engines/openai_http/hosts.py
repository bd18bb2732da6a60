"""Which machines may be called: this one, those with a public address, and those that TTC_HOSTS names.

A name in a models file may resolve to anything, and to something else a moment later. So names are looked up here, all
addresses are judged, and the connection goes to an address that was judged: nobody looks the name up again. Refused,
unless TTC_HOSTS names host or network, are private and link-local addresses. Clouds' metadata, whoever they are said to
be, are refused unless TTC_HOSTS names their very address or its network.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ttc_core.errors import EngineFault, EngineGone

if TYPE_CHECKING:
    import ssl

    import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Look = Callable[[str, int], Awaitable[list[str]]]
# Public by their numbers: clouds' metadata, what older Pythons do not know as reserved.
_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "168.63.129.16/32", "192.88.99.0/24", "3fff::/20")))
_METADATA = tuple(
    ipaddress.ip_network(one)
    for one in ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32")
)
_UNICAST = ipaddress.ip_network("2000::/3")  # all that is public of IPv6; the rest may stand for an IPv4 address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def allowed(host: str, address: str, named: Sequence[str]) -> bool:
    """Whether a connection to `host` may go to this address, one of those that the name stands for.

    named: hosts, addresses and networks ("gpu1", "10.0.0.7", "10.0.0.0/8") that may be called besides.
    """
    found = _address(address)
    if any(_within(found, network) for network in named):
        return True
    if _metadata(found):
        return False  # even of a host that is named: whoever answers for its name must not lead there
    if host.lower().rstrip(".") in (name.lower() for name in named):
        return True
    public = found.is_global and not found.is_multicast and not any(found in network for network in _RESERVED)
    public = public and (found.version == 4 or found in _UNICAST)
    return found.is_loopback or public


def _metadata(address: Address) -> bool:
    return any(address in network for network in _METADATA)


def _address(text: str) -> Address:
    """An address; the IPv4 address that an IPv6 address carries (mapped, 6to4, NAT64) in its place."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _within(address: Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:  # a name
        return False


async def looked_up(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which to try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return list(dict.fromkeys(str(place[4][0]) for place in found))


def transport(
    certificates: ssl.SSLContext, limits: httpx.Limits, named: Sequence[str], look: Look = looked_up
) -> httpx.AsyncBaseTransport:
    """What httpx sends through: connections go only where `allowed` lets them."""
    import httpcore
    import httpx

    class Judged(httpcore.AsyncNetworkBackend):
        """Looks names up, judges the addresses, and connects to the first that answers."""

        def __init__(self) -> None:
            self._inner = httpcore.AnyIOBackend()

        async def connect_tcp(
            self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore.AsyncNetworkStream:  # fmt: skip
            try:
                addresses = await asyncio.wait_for(look(host, port), timeout)
            except (OSError, TimeoutError, UnicodeError) as error:
                raise httpcore.ConnectError(f"{host} is not known") from error
            if refused := [one for one in addresses if not allowed(host, one, named)]:
                raise EngineGone(
                    f"{host} is at {refused[0]}, which is neither this machine nor a public address",
                    hint=f"if it may be called: TTC_HOSTS={refused[0] if _metadata(_address(refused[0])) else host}",
                )
            last: Exception = httpcore.ConnectError(f"{host} has no address")
            for address in addresses:
                try:
                    return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    last = error
            raise last

        async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
            raise EngineFault("a server of models is asked over the network")

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    made = httpx.AsyncHTTPTransport(verify=certificates, limits=limits, trust_env=False)
    made._pool = httpcore.AsyncConnectionPool(  # httpx has no argument for this
        ssl_context=certificates,
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=limits.keepalive_expiry,
        network_backend=Judged(),
    )
    return made
