"""Addresses of host names, looked up without holding anything up.

The event loop's own lookup runs in a pool of threads for which a process waits at its end, and has
no time limit: with name servers that do not answer, a stop would take as long as they do.
"""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from attrs import define, field
from psycopg.conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo

GetAddressInfo = Callable[..., Iterable[tuple[Any, ...]]]
"""As `socket.getaddrinfo`: blocks, and raises OSError when there is no such name."""

_LOOKUPS = 3
"""For one name at a time: those that hang are not waited for, and not added to for ever."""
_DEFAULT_PORT: Final = "5432"
_WITHIN_S: Final = 5.0


@define(eq=False)
class HostNames:
    """Replaces host names in connection strings by their current addresses."""

    _get_address_info: GetAddressInfo = socket.getaddrinfo
    _running: Counter[str] = field(init=False, factory=Counter)

    async def resolved(self, conninfo: str) -> str:
        """`conninfo` with `hostaddr`, where it has names; one attempt for each address.

        Each name may take the time of `connect_timeout`, by default 5 s; names that cannot be
        resolved are left out.

        Raises:
            psycopg.OperationalError: none can be resolved.
        """
        parameters = conninfo_to_dict(conninfo)
        hosts = _split(parameters.get("host"))
        if parameters.get("hostaddr") or not any(map(_is_name, hosts)):
            return conninfo
        ports = _split(parameters.get("port")) or [_DEFAULT_PORT]
        if len(ports) not in (1, len(hosts)):
            return conninfo  # the driver refuses it
        within_s = (
            timeout_from_conninfo(parameters) if parameters.get("connect_timeout") else _WITHIN_S
        )
        found = await asyncio.gather(
            *[
                self._addresses(host, port or _DEFAULT_PORT, within_s)
                for host, port in _pairs(hosts, ports)
            ],
            return_exceptions=True,
        )
        attempts: list[tuple[str, str, str]] = []
        failure: OSError | None = None
        for (host, port), addresses in zip(_pairs(hosts, ports), found, strict=True):
            if isinstance(addresses, OSError):
                failure = addresses
            elif isinstance(addresses, BaseException):
                raise addresses
            else:
                attempts.extend((host, port, address) for address in addresses)
        if not attempts:
            raise psycopg.OperationalError(f"cannot resolve host {', '.join(hosts)}: {failure}")
        return make_conninfo(conninfo, **_columns(attempts))

    async def _addresses(self, host: str, port: str, within_s: float) -> Sequence[str]:
        if not _is_name(host):
            return [host]
        if self._running[host] >= _LOOKUPS:
            raise TimeoutError("the name servers have not answered earlier lookups yet")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()
        self._running[host] += 1

        def tell(addresses: Sequence[str], failure: Exception | None) -> None:
            self._running[host] -= 1
            if answer.done():
                return
            if failure:
                answer.set_exception(failure)
            else:
                answer.set_result(addresses)

        def look_up() -> None:
            addresses: Sequence[str] = []
            failure: Exception | None = None
            try:
                infos = self._get_address_info(host, port, type=socket.SOCK_STREAM)
                addresses = list(dict.fromkeys(info[4][0] for info in infos))
            except OSError as error:
                failure = error
            except UnicodeError as error:  # of a name that IDNA cannot encode
                failure = OSError(str(error))
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, addresses, failure)

        threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
        try:
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError as error:
            raise TimeoutError(f"the name servers did not answer within {within_s:g} s") from error


def _is_name(host: str) -> bool:
    if not host or host.startswith(("/", "@")):
        return False  # the default, or a Unix socket
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host.partition("%")[0])
            return False
    return True


def _split(text: Any) -> list[str]:
    return str(text).split(",") if text else []


def _pairs(hosts: Sequence[str], ports: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Each host with its port; one port is that of all hosts."""
    return list(zip(hosts, ports if len(ports) > 1 else [*ports] * len(hosts), strict=True))


def _columns(attempts: Sequence[tuple[str, str, str]]) -> Mapping[str, str]:
    hosts, ports, addresses = zip(*attempts, strict=True)
    return {
        "host": ",".join(hosts),
        "port": ",".join(ports),
        "hostaddr": ",".join("" if address.startswith("/") else address for address in addresses),
    }
