"""What differs between the versions of CPython on Windows: each difference stands here, once, by its first version.

What only follows from this machine's CPython of the same version (its own Lib, its own rules for errno and winerror)
needs no entry.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

Version = tuple[int, int]
THIS: Version = sys.version_info[:2]

# names that `_socket` has only from some version on
SOCKET_NAMES: Mapping[Version, str] = {
    (3, 12): """
        AF_HYPERV HVSOCKET_ADDRESS_FLAG_PASSTHRU HVSOCKET_CONNECTED_SUSPEND HVSOCKET_CONNECT_TIMEOUT
        HVSOCKET_CONNECT_TIMEOUT_MAX HV_GUID_BROADCAST HV_GUID_CHILDREN HV_GUID_LOOPBACK HV_GUID_PARENT
        HV_GUID_WILDCARD HV_GUID_ZERO HV_PROTOCOL_RAW IP_ADD_SOURCE_MEMBERSHIP IP_BLOCK_SOURCE
        IP_DROP_SOURCE_MEMBERSHIP IP_PKTINFO IP_UNBLOCK_SOURCE
    """,
    (3, 14): """
        IPV6_RECVERR IP_RECVERR IP_RECVTTL SOL_RFCOMM SO_BTH_ENCRYPT SO_BTH_MTU SO_BTH_MTU_MAX SO_BTH_MTU_MIN
        SO_ORIGINAL_DST TCP_QUICKACK
    """,
}

# names of `os` that Windows has too, but only from some version on
OS_NAMES: Mapping[Version, str] = {(3, 12): "get_blocking set_blocking"}

# of the names of `_winapi` that are there, those that came later
WINAPI_NAMES: Mapping[Version, str] = {
    (3, 13): "BatchedWaitForMultipleObjects CreateEventW OpenEventW ResetEvent SetEvent",
}

# asyncio's names for the default loop, and what they stand for when that is the selector loop
SELECTOR_BY_DEFAULT: Mapping[str, str] = {
    "DefaultEventLoopPolicy": "WindowsSelectorEventLoopPolicy",
    "EventLoop": "SelectorEventLoop",  # since 3.13
    "_DefaultEventLoopPolicy": "_WindowsSelectorEventLoopPolicy",  # since 3.14
}

# names of `__main__`, and the version that left them out
LEFT_OUT: Mapping[str, Version] = {"__annotations__": (3, 14), "__cached__": (3, 15)}

# bits of IMPORT_NAME's argument below the number of the name
IMPORT_NAME_SHIFT = 2 if THIS >= (3, 15) else 0  # whether the import is lazy


def main_has(name: str) -> bool:
    """Whether `__main__` has one of the names that were left out some time."""
    return LEFT_OUT[name] > THIS


def here(table: Mapping[Version, str], version: Version = THIS) -> list[str]:
    """The names that this version has."""
    return [name for since, names in table.items() if since <= version for name in names.split()]


def later(table: Mapping[Version, str], version: Version = THIS) -> list[str]:
    """The names that only later versions have."""
    return [name for since, names in table.items() if since > version for name in names.split()]
