"""getsockopt and setsockopt: the table of abi._options at work on endpoints.

Values are the bytes that Windows' callers see.  What an option is and how its lengths are judged is data; here is
what a value does, for the few options that do more than be kept.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from winsock.abi import _constants as c
from winsock.abi import _options as table
from winsock.abi._options import Option
from winsock.abi._sockaddrs import pack_address
from winsock.afd import _connection, _control
from winsock.afd._endpoint import Endpoint
from winsock.afd._shape import State
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState

NOT_CONNECTED = 0xFFFFFFFF  # SO_CONNECT_TIME
MAX_UDP_4, MAX_UDP_6 = 65507, 65527
MAX_RAW = 32768
CSADDR_INFO = struct.Struct("<QixxxxQixxxxii")

_CONNECTED, _LISTENING = State.CONNECTED, State.LISTENING

Value = int | bytes
Key = tuple[int, int]
Setting = tuple[range | None, int, Callable[[Any, Any], None] | None]
ALL = (0, 0xFFFFFFFF)  # the values of a DWORD
A_HANDLE = range(0)  # which no DWORD is
ACCEPT_CONTEXT: Final = (c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT)

REUSEADDR: Final = (c.SOL_SOCKET, c.SO_REUSEADDR)
EXCLUSIVEADDRUSE: Final = (c.SOL_SOCKET, c.SO_EXCLUSIVEADDRUSE)
LINGER: Final = (c.SOL_SOCKET, c.SO_LINGER)
V6ONLY: Final = (c.IPPROTO_IPV6, c.IPV6_V6ONLY)
KEEPALIVE_TIMES: Final = tuple((c.IPPROTO_TCP, name) for name in (c.TCP_KEEPIDLE, c.TCP_KEEPINTVL, c.TCP_KEEPCNT))


# -- which option, and whether the socket has it


def find(level: int, name: int) -> Option:
    """The row of an option; WSAEINVAL for an unknown level, WSAENOPROTOOPT for an unknown option."""
    row = table.BY_NUMBER.get((level, name))
    if row is None:
        raise WinsockError(WSA.WSAENOPROTOOPT if level in table.KNOWN_LEVELS else WSA.WSAEINVAL)
    return row


def _require(ep: Endpoint, row: Option) -> None:
    shape = ep.shape
    if shape.closed:
        raise WinsockError(WSA.WSAENOTSOCK)
    if not row.applies(shape.family, shape.type):
        raise WinsockError(WSA[row.elsewhere])


def readable(ep: Endpoint, row: Option) -> None:
    """Raise what keeps this socket from reading the option, if anything does."""
    if row.refusal:
        raise WinsockError(WSA[row.refusal])
    if not row.get:  # says more than that the socket lacks it
        raise WinsockError(WSA.WSAENOPROTOOPT)
    _require(ep, row)


def writable(ep: Endpoint, row: Option) -> None:
    """Raise what keeps this socket from setting the option, if anything does."""
    if row.refusal:
        raise WinsockError(WSA[row.refusal])
    _require(ep, row)
    if not row.set:  # observed: message sockets say it with another code
        raise WinsockError(WSA.WSAENOPROTOOPT if ep.stream else WSA.WSAEINVAL)


# -- lengths


def consulted(row: Option, length: int) -> int:
    """How many bytes setsockopt looks at for a caller's length; WSAEFAULT for too few, WSAENOBUFS below 0."""
    layout = row.layout
    if length < 0:
        if not layout.negative:
            raise WinsockError(WSA.WSAENOBUFS)
        return layout.size
    if length < layout.least:
        raise WinsockError(WSA.WSAEFAULT)
    return min(length, layout.size) if layout.size else length


def given(row: Option, data: bytes, size: int) -> bytes:
    """What getsockopt puts into a buffer of that size; WSAEFAULT when that is too small."""
    layout = row.layout
    if size <= 0:
        raise WinsockError(WSA.WSAEFAULT)
    if len(data) <= size:
        return data
    if layout.short is table.Short.BYTE:
        return data[:1]
    if layout.short is table.Short.PADDED:
        return data[:size]
    raise WinsockError(WSA.WSAEFAULT)


def reported(row: Option, size: int, data: bytes) -> int:
    """The length that getsockopt reports when it put this data into a buffer of that size."""
    if row.label in _LENGTH_KEPT:
        return size
    if row.layout.short is table.Short.PADDED and size < row.layout.size:
        return 1
    return len(data)


_LENGTH_KEPT: Final = frozenset({"SO_PROTOCOL_INFOA", "SO_PROTOCOL_INFOW", "SO_BSP_STATE"})


# -- reading


@lru_cache(64)
def plan(family: int, type: int) -> dict[Key, int | None]:
    """The options of such sockets that getsockopt can answer from memory, with their defaults.

    Numbers that are kept in Endpoint.options when set; None stands for SO_ERROR, which is Endpoint.so_error.
    """
    found: dict[Key, int | None] = {
        (row.level, row.name): default
        for row in table.OPTIONS
        if row.layout.size in (1, 4) and row.get and not row.refusal and row.applies(family, type)
        if isinstance(default := row.default_for(type), int) and row.label not in _READERS
    }
    found[c.SOL_SOCKET, c.SO_TYPE] = type
    found[c.SOL_SOCKET, c.SO_ERROR] = None
    del found[c.SOL_SOCKET, c.SO_OPENTYPE]
    return found


@lru_cache(64)
def settings(sockets: Any, family: int, type: int) -> dict[Key, Setting]:
    """The options of such sockets of a network's class that setsockopt can set by a short cut, to a DWORD.

    It checks, tells the network and keeps them: {key: (values, None for any; of what says yes or no the bits that
    say yes, else 0; what tells the network, or None)}.  And the context of every connection of AcceptEx: (A_HANDLE,
    0, what takes the listener's handle).
    """
    found: dict[Key, Setting] = {}
    if table.BY_NUMBER[ACCEPT_CONTEXT].applies(family, type):
        found[ACCEPT_CONTEXT] = A_HANDLE, 0, _accepted_by
    for row in table.OPTIONS:
        size = row.layout.size
        if not (size == 4 or (size == 1 and row.boolean)) or not row.set or row.refusal or row.label in _WRITERS:
            continue
        if row.applies(family, type):
            try:
                tell = sockets.teller(row.level, row.name) if row.carried else None
            except WinsockError:
                continue  # the network knows no such thing, as the long way will say
            values = None if row.boolean or (row.low, row.high) == ALL else range(row.low, row.high + 1)
            bits = 0 if not row.boolean else ALL[1] if size == 4 else 0xFF
            found[row.level, row.name] = values, bits, tell
    return found


def getsockopt(ep: Endpoint, level: int, name: int, size: int) -> bytes:
    """The option's value for a buffer of that size.

    WSAEINVAL for an unknown level or a socket that the option is not for, WSAENOPROTOOPT for an unknown option or one
    that cannot be read, WSAEFAULT for too small a buffer.
    """
    row = find(level, name)
    readable(ep, row)
    value = read(ep, row)
    if isinstance(value, int):
        value = value.to_bytes(row.layout.size or 4, "little")
    return given(row, value, size)


def read(ep: Endpoint, row: Option) -> Value:
    """The option's value as it is now."""
    reader = _READERS.get(row.label)
    if reader is not None:
        return reader(ep)
    key = (row.level, row.name)
    value: Value | None = ep.options.get(key)
    if value is None:
        value = row.default_for(ep.type)
    if value is None:
        value = ep.transport.ask_option(row.level, row.name, 4)
    return value


def _error(ep: Endpoint) -> int:
    """The code of a failed connect, also when that has only just failed; reading does not clear it (fact)."""
    _connection.poll_connect(ep)
    return ep.so_error


def _max_msg_size(ep: Endpoint) -> int:
    """As in the catalog: a stream has no such limit, and says 0."""
    if ep.stream:
        return 0
    if ep.type == c.SOCK_RAW:
        return MAX_RAW
    return MAX_UDP_6 if ep.family == c.AF_INET6 else MAX_UDP_4


def _connect_time(ep: Endpoint) -> int:
    if ep.state is not State.CONNECTED or ep.connect_time is None:
        return NOT_CONNECTED
    return int((ep.network.now() - ep.connect_time) / 1000)


def _mtu(level: int, name: int) -> Callable[[Endpoint], Value]:
    def read_mtu(ep: Endpoint) -> Value:
        if ep.remote is None or ep.state is State.CONNECTING:
            raise WinsockError(WSA.WSAENOTCONN)
        return ep.transport.ask_option(level, name, 4)

    return read_mtu


def _bsp_state(ep: Endpoint) -> bytes:
    """CSADDR_INFO with the addresses behind it; its pointers are offsets from its beginning, to be moved."""
    local = ep.transport.local_name() if ep.state is not State.OPEN else None
    remote = ep.remote if ep.state is not State.CONNECTING else None
    at, tail, pointers = CSADDR_INFO.size, b"", []
    for address in local, remote:
        packed = pack_address(ep.family, address) if address else b""
        pointers += [at + len(tail) if packed else 0, len(packed)]
        tail += packed
    return CSADDR_INFO.pack(*pointers, ep.type, ep.protocol) + tail


def _interface_list(ep: Endpoint, level: int) -> bytes:
    if not ep.options.get((level, c.IP_IFLIST)):
        raise WinsockError(WSA.WSAEINVAL)
    listed: tuple[int, ...] = ep.options.get((level, c.IP_GET_IFLIST), ())
    return struct.pack(f"<{len(listed)}I", *listed)


_READERS: Final[dict[str, Callable[[Endpoint], Value]]] = {
    "SO_TYPE": lambda ep: ep.type,
    "SO_ERROR": _error,
    "SO_ACCEPTCONN": lambda ep: int(ep.state is State.LISTENING),
    "SO_DONTLINGER": lambda ep: int(not ep.options.get(LINGER, 0) & 0xFFFF),
    "SO_RCVTIMEO": lambda ep: ep.receive_timeout,
    "SO_SNDTIMEO": lambda ep: ep.send_timeout,
    "SO_MAX_MSG_SIZE": _max_msg_size,
    "SO_MAXDG": _max_msg_size,
    "SO_MAXPATHDG": _max_msg_size,
    "SO_CONNECT_TIME": _connect_time,
    "SO_PROTOCOL_INFOA": lambda ep: ep.procs.protocol_info(ep, False),
    "SO_PROTOCOL_INFOW": lambda ep: ep.procs.protocol_info(ep, True),
    "SO_BSP_STATE": _bsp_state,
    "IP_MTU": _mtu(c.IPPROTO_IP, c.IP_MTU),
    "IPV6_MTU": _mtu(c.IPPROTO_IPV6, c.IPV6_MTU),
    "IP_GET_IFLIST": lambda ep: _interface_list(ep, c.IPPROTO_IP),
    "IPV6_GET_IFLIST": lambda ep: _interface_list(ep, c.IPPROTO_IPV6),
}


# -- setting


def setsockopt(ep: Endpoint, level: int, name: int, data: bytes | None) -> None:
    """Set an option to these bytes; more than it needs are let be.  None is a NULL pointer.

    WSAEFAULT for too few bytes or NULL; WSAEINVAL for a value out of range, a state in which it cannot be set, an
    unknown level or a socket that it is not for; WSAENOPROTOOPT for an unknown option or one that cannot be set.
    """
    row = find(level, name)
    writable(ep, row)
    if data is None:
        if row.layout.least or row.layout.size:
            raise WinsockError(WSA.WSAEFAULT)
        data = b""
    write(ep, row, data[: consulted(row, len(data))])


def write(ep: Endpoint, row: Option, data: bytes) -> None:
    """Set an option to the bytes that it looks at."""
    structured = row.layout.size not in (1, 4)
    value: Value = data if structured else int.from_bytes(data, "little")
    if isinstance(value, int):
        if row.boolean:
            value = int(value != 0)
        elif not row.low <= value <= row.high:
            raise WinsockError(WSA.WSAEINVAL)
    writer = _WRITERS.get(row.label)
    if writer is None:
        keep(ep, row, value)
    else:
        writer(ep, row, value)


def keep(ep: Endpoint, row: Option, value: Value) -> None:
    """Tell the network, if it is concerned, and remember the value."""
    if row.carried:
        ep.transport.tell_option(row.level, row.name, value)
    ep.set_option((row.level, row.name), value)


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value


def _set_error(ep: Endpoint, row: Option, value: Value) -> None:
    ep.so_error = _number(value)


def _set_timeout(ep: Endpoint, row: Option, value: Value) -> None:
    if row.name == c.SO_RCVTIMEO:
        ep.receive_timeout = _number(value)
    else:
        ep.send_timeout = _number(value)
    ep.refresh()


def _set_reuse(ep: Endpoint, row: Option, value: Value) -> None:
    """Read at bind only; exclusive use is refused afterwards, and the two exclude each other."""
    other = EXCLUSIVEADDRUSE if row.name == c.SO_REUSEADDR else REUSEADDR
    if value and ep.options.get(other, 0):
        raise WinsockError(WSA.WSAEINVAL)
    if row.name == c.SO_EXCLUSIVEADDRUSE and ep.state is not State.OPEN:
        raise WinsockError(WSA.WSAEINVAL)
    keep(ep, row, value)


def _set_dontlinger(ep: Endpoint, row: Option, value: Value) -> None:
    """The other view of SO_LINGER's l_onoff; its l_linger stays."""
    linger = ep.options.get(LINGER, 0)
    keep(ep, table.BY_NUMBER[LINGER], linger & ~0xFFFF | int(not value))


def _set_keepalive(ep: Endpoint, row: Option, value: Value) -> None:
    """Windows' times go along, which are not the kernel's."""
    if ep.state is State.CONNECTING:
        raise WinsockError(WSA.WSAEINVAL)
    if value and ep.family != c.AF_UNIX:
        for level, name in KEEPALIVE_TIMES:
            if (level, name) not in ep.options:
                ep.transport.tell_option(level, name, _number(table.BY_NUMBER[level, name].default or 0))
    keep(ep, row, value)


def _set_oobinline(ep: Endpoint, row: Option, value: Value) -> None:
    keep(ep, row, value)
    ep.refresh()


def _set_conditional_accept(ep: Endpoint, row: Option, value: Value) -> None:
    if ep.state is State.LISTENING:
        raise WinsockError(WSA.WSAEINVAL)
    keep(ep, row, value)


def _set_accept_context(ep: Endpoint, row: Option, value: Value) -> None:
    _accepted_by(ep, int.from_bytes(_bytes(value), "little"))


def _accepted_by(ep: Endpoint, handle: int) -> None:
    """The listener's options become this socket's.

    The network's ones it has already, but for those that the program had set on this socket itself.
    """
    process = ep.shape.process
    listener = process.sockets.get(handle)
    if not isinstance(listener, Endpoint):
        raise WinsockError(WSA.WSAENOTSOCK)
    if _connection.is_accepting(ep):
        raise WinsockError(WSA.WSAENOTCONN)  # AcceptEx has no connection for it yet
    if listener.shape.state is not _LISTENING:
        raise WinsockError(WSA.WSAEINVAL)
    rest, its = ep.own_rest(), listener.rest
    if its.options:
        for key in its.options.keys() & rest.options.keys():
            if key in table.BY_NUMBER and table.BY_NUMBER[key].carried:
                ep.transport.tell_option(key[0], key[1], its.options[key])
        rest.options = {**rest.options, **its.options}
    rest.receive_timeout, rest.send_timeout = its.receive_timeout, its.send_timeout
    ep.drop("context")
    ep.refresh()


def _set_connect_context(ep: Endpoint, row: Option, value: Value) -> None:
    connected_by(ep)


def connected_by(ep: Endpoint) -> None:
    """SO_UPDATE_CONNECT_CONTEXT: the connection that ConnectEx made is like any other now; WSAENOTCONN."""
    if ep.shape.state is not _CONNECTED:
        raise WinsockError(WSA.WSAENOTCONN)
    if ep.drop("context") is not None:
        ep.refresh()


def _set_v6only(ep: Endpoint, row: Option, value: Value) -> None:
    """Only while there is no name; an IPv4 socket has it too, and keeps it to itself."""
    if ep.state is not State.OPEN:
        raise WinsockError(WSA.WSAEINVAL)
    if ep.family == c.AF_INET6:
        ep.transport.tell_option(row.level, row.name, value)
    ep.set_option(V6ONLY, value)


def _set_multicast_if(ep: Endpoint, row: Option, value: Value) -> None:
    """An interface's address, which is read back, or its index as 0.x.x.x, which is read back in the host's order.

    Source: document for the index; what x/net of Go relies on, and observed on Wine, for the address.
    """
    data = _number(value).to_bytes(4, "little")
    index = told = int.from_bytes(data, "big")
    if index >= 1 << 24:
        index, told = _interface_with(ep, ".".join(map(str, data))), _number(value)
    ep.transport.tell_option(row.level, row.name, index)
    ep.set_option((row.level, row.name), told)


def _interface_with(ep: Endpoint, address: str) -> int:
    for interface in ep.network.interfaces():
        if interface.address == address:
            return interface.number
    raise WinsockError(WSA.WSAEADDRNOTAVAIL)


def _set_unicast_if(ep: Endpoint, row: Option, value: Value) -> None:
    """IPv4's index comes in network order, and is read back in the host's."""
    index = _number(value)
    if row.level == c.IPPROTO_IP:
        index = int.from_bytes(index.to_bytes(4, "little"), "big")
    if index and all(index != interface.number for interface in ep.network.interfaces()):
        raise WinsockError(WSA.WSAEINVAL)
    keep(ep, row, index)


def _set_interface_list(ep: Endpoint, row: Option, value: Value) -> None:
    """Add an interface to the list or remove it; switching the list off empties it."""
    key = (row.level, c.IP_GET_IFLIST)
    listed: tuple[int, ...] = ep.options.get(key, ())
    index = _number(value)
    if row.name == c.IP_IFLIST:
        keep(ep, row, value)
        listed = listed if value else ()
    elif not ep.options.get((row.level, c.IP_IFLIST)):
        raise WinsockError(WSA.WSAEINVAL)
    elif row.name == c.IP_ADD_IFLIST:
        listed += (index,) if index not in listed else ()
    else:
        listed = tuple(i for i in listed if i != index)
    ep.set_option(key, listed)


def _set_urgent(ep: Endpoint, row: Option, value: Value) -> None:
    """TCP_EXPEDITED_1122 and TCP_BSDURGENT are one switch, which goes one way only."""
    other = c.TCP_BSDURGENT if row.name == c.TCP_EXPEDITED_1122 else c.TCP_EXPEDITED_1122
    keep(ep, row, value)
    ep.set_option((row.level, other), int(not value))


def _set_message(ep: Endpoint, row: Option, value: Value) -> None:
    """Control messages on or off; the network sends them whole."""
    key = (row.level, row.name)
    whole = _control.WHOLE_OF[key]
    before = ep.options.get(key)
    ep.set_option(key, value)
    try:
        ep.transport.tell_option(*whole, int(_control.asked_for(ep, whole)))
    except WinsockError:
        if before is None:
            ep.reset_option(key)
        else:
            ep.set_option(key, before)
        raise


def _tell_only(ep: Endpoint, row: Option, value: Value) -> None:
    """A command, not a value."""
    ep.transport.tell_option(row.level, row.name, value)


_WRITERS: Final[dict[str, Callable[[Endpoint, Option, Value], None]]] = {
    "SO_ERROR": _set_error,
    "SO_RCVTIMEO": _set_timeout,
    "SO_SNDTIMEO": _set_timeout,
    "SO_REUSEADDR": _set_reuse,
    "SO_EXCLUSIVEADDRUSE": _set_reuse,
    "SO_DONTLINGER": _set_dontlinger,
    "SO_KEEPALIVE": _set_keepalive,
    "SO_OOBINLINE": _set_oobinline,
    "SO_CONDITIONAL_ACCEPT": _set_conditional_accept,
    "SO_UPDATE_ACCEPT_CONTEXT": _set_accept_context,
    "SO_UPDATE_CONNECT_CONTEXT": _set_connect_context,
    "IPV6_V6ONLY": _set_v6only,
    "IP_MULTICAST_IF": _set_multicast_if,
    "IP_UNICAST_IF": _set_unicast_if,
    "IPV6_UNICAST_IF": _set_unicast_if,
    "IP_IFLIST": _set_interface_list,
    "IPV6_IFLIST": _set_interface_list,
    "IP_ADD_IFLIST": _set_interface_list,
    "IPV6_ADD_IFLIST": _set_interface_list,
    "IP_DEL_IFLIST": _set_interface_list,
    "IPV6_DEL_IFLIST": _set_interface_list,
    "TCP_EXPEDITED_1122": _set_urgent,
    "TCP_BSDURGENT": _set_urgent,
    **{row.label: _tell_only for row in table.OPTIONS if row.carried and not row.get},
    **{row.label: _set_message for row in table.OPTIONS if (row.level, row.name) in _control.WHOLE_OF},
}


# -- SO_OPENTYPE, which belongs to the thread


def get_opentype(ts: ThreadState) -> int:
    """The calling thread's SO_OPENTYPE."""
    return ts.open_type


def set_opentype(ts: ThreadState, value: int) -> None:
    """Set it: SO_SYNCHRONOUS_ALERT and _NONALERT make later sockets without the overlapped attribute."""
    ts.open_type = value
