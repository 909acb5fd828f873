"""Connections to public addresses alone: what a model wants to read must not be on this machine or in its network.

A name is looked up once for each request, every address that it has must be public, and the connection goes to the
address that was checked: a name that means another address a moment later gains nothing. As each hop of a redirect is
a request of its own, this holds for each.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

import httpx

from workbench.errors import ToolError

MOST_ADDRESSES = 3  # tried one after the other
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# What is not public, or may lead to what is not; written out, as Python's own list differs between its versions.
_REFUSED = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # this machine, private
        *("169.254.0.0/16", "100.64.0.0/10"),  # link-local with clouds' metadata, carriers' own
        *("192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15"),  # reserved, examples
        *("192.88.99.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"),  # relays and sinks
        *("224.0.0.0/4", "240.0.0.0/4"),  # multicast, reserved, broadcast
        "168.63.129.16/32",  # a cloud's metadata at an address that looks public
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48"),  # tunnels, examples, sinks
    )
]
_GLOBAL = ipaddress.ip_network("2000::/3")  # all of IPv6 that is public: not mapped, NAT64, local, multicast


def is_public(text: str) -> bool:
    """Whether this is an address that anybody on the internet could reach, and not one of this machine's own."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 6 and (address not in _GLOBAL or address.scope_id is not None):
        return False
    return not any(address in network for network in _REFUSED if network.version == address.version)


def is_own(text: str) -> bool:
    """Whether it is this machine's own address, found by asking for the way there; nothing is sent."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((text, 9))
        except OSError:
            return False  # there is no way there, so no connection either
        return bool(probe.getsockname()[0] == text)


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine's resolver gives them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def certificates() -> ssl.SSLContext:
    """Whose certificates are trusted; read once, as that takes longer than most answers."""
    return httpx.create_ssl_context()


class PublicTransport(httpx.AsyncBaseTransport):
    """Sends requests to public addresses. Raises ToolError for any other, before a connection is made."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = look_up,
        own: Callable[[str], bool] = is_own,
    ) -> None:
        self._inner = inner or httpx.AsyncHTTPTransport(
            verify=certificates(), trust_env=False
        )  # a proxy would connect in our place
        self._resolve, self._own = resolve, own

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response of the first address that can be reached."""
        host = request.url.raw_host.decode()
        addresses = await self._checked(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        failed: httpx.TransportError | None = None
        for address in addresses[:MOST_ADDRESSES]:
            try:
                return await self._inner.handle_async_request(_to(address, host, request))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise ToolError(
                f"There is no host {host[:100]}, or no connection to find it. Check the address, or go on without it."
            ) from None
        refused = [address for address in addresses if not is_public(address) or self._own(address)]
        if refused or not addresses:
            raise ToolError(
                f"{host[:100]} is not on the public internet, so it is not read: this machine and private networks are"
                " closed to you. Use a public address."
            )
        return addresses

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


def _to(address: str, host: str, request: httpx.Request) -> httpx.Request:
    """The same request to an address; its host is still the one in the header and in the certificate."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions | {"sni_hostname": host},
    )
