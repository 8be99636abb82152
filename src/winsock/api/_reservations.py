"""IP Helper: persistent port reservations.

A block of TCP or UDP ports that other reservations and automatic assignment stay away from, restarts included; a
socket uses it by SIO_ASSOCIATE_PORT_RESERVATION with its token.  StartPort is in network order, NumberOfPorts and
Token in the machine's.  They need no WSAStartup, return a Win32 code and leave the last error alone.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable
from typing import Any

from winsock.abi import _constants as c
from winsock.api._call import unexpected
from winsock.codes import WSA, WinsockError
from winsock.nt import memory
from winsock.ports import _store
from winsock.ports._errors import Refused

TOKEN_SIZE = 8

_log = logging.getLogger("winsock")


def CreatePersistentTcpPortReservation(StartPort: int, NumberOfPorts: int, Token: Any) -> int:
    """Reserve a block of TCP ports; its token is stored.

    ERROR_ACCESS_DENIED for who is no administrator, ERROR_INVALID_PARAMETER for start or number 0, a block beyond the
    last port, no Token, ERROR_SHARING_VIOLATION when a port is in use or reserved persistently.  Source: document.
    """
    return _call("CreatePersistentTcpPortReservation", _create, "tcp", StartPort, NumberOfPorts, Token)


def CreatePersistentUdpPortReservation(StartPort: int, NumberOfPorts: int, Token: Any) -> int:
    """Reserve a block of UDP ports; see CreatePersistentTcpPortReservation."""
    return _call("CreatePersistentUdpPortReservation", _create, "udp", StartPort, NumberOfPorts, Token)


def DeletePersistentTcpPortReservation(StartPort: int, NumberOfPorts: int) -> int:
    """Free a block of TCP ports; sockets that are bound in it keep their ports.

    ERROR_ACCESS_DENIED for who is no administrator, ERROR_INVALID_PARAMETER for start or number 0, ERROR_NOT_FOUND
    when no block has exactly these ports.  Source: document.
    """
    return _call("DeletePersistentTcpPortReservation", _delete, "tcp", StartPort, NumberOfPorts)


def DeletePersistentUdpPortReservation(StartPort: int, NumberOfPorts: int) -> int:
    """Free a block of UDP ports; see DeletePersistentTcpPortReservation."""
    return _call("DeletePersistentUdpPortReservation", _delete, "udp", StartPort, NumberOfPorts)


def LookupPersistentTcpPortReservation(StartPort: int, NumberOfPorts: int, Token: Any) -> int:
    """Store the token of a block of TCP ports: another one after each restart.  Anybody may ask.

    ERROR_INVALID_PARAMETER for start or number 0 or no Token, ERROR_NOT_FOUND when no block has exactly these ports.
    Source: document.
    """
    return _call("LookupPersistentTcpPortReservation", _lookup, "tcp", StartPort, NumberOfPorts, Token)


def LookupPersistentUdpPortReservation(StartPort: int, NumberOfPorts: int, Token: Any) -> int:
    """Store the token of a block of UDP ports; see LookupPersistentTcpPortReservation."""
    return _call("LookupPersistentUdpPortReservation", _lookup, "udp", StartPort, NumberOfPorts, Token)


def _call(name: str, function: Callable[..., None], *args: Any) -> int:
    try:
        function(*args)
        return c.ERROR_SUCCESS
    except WinsockError as e:
        if isinstance(e, Refused) and e.file is not None:
            _log.warning("%s: %s", name, e)  # a code alone does not say which file
        return c.ERROR_NOACCESS if e.code == WSA.WSAEFAULT else e.code
    except (TypeError, ValueError, OverflowError):
        return c.ERROR_INVALID_PARAMETER
    except Exception as e:
        unexpected(name, e, args)
        return c.ERROR_GEN_FAILURE


def _create(protocol: str, start: Any, count: Any, token: Any) -> None:
    _to_fill(token)
    memory.write(token, _store.create(protocol, _port(start), _ushort(count)).to_bytes(TOKEN_SIZE, "little"))


def _delete(protocol: str, start: Any, count: Any) -> None:
    _store.delete(protocol, _port(start), _ushort(count))


def _lookup(protocol: str, start: Any, count: Any, token: Any) -> None:
    _to_fill(token)
    memory.write(token, _store.lookup(protocol, _port(start), _ushort(count)).to_bytes(TOKEN_SIZE, "little"))


def _to_fill(token: Any) -> None:
    if memory.is_null(token):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    memory.writable(token, TOKEN_SIZE)


def _ushort(value: Any) -> int:
    return operator.index(value) & 0xFFFF


def _port(value: Any) -> int:
    """A port from network order."""
    return int.from_bytes(_ushort(value).to_bytes(2, "little"), "big")
