"""select, WSAPoll and __WSAFDIsSet.

An fd_set is a u_int count, four bytes of padding and so many SOCKETs of 8 bytes; only counted entries are touched,
and there may be more of them than FD_SETSIZE.
"""

from __future__ import annotations

import struct
from typing import Any
from weakref import ref

from winsock import afd
from winsock.abi import _constants as c
from winsock.afd import Endpoint, _poll
from winsock.api._call import SOCKET_ERROR, c_int, dword, endpoint, export
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.nt._process import _tls
from winsock.transports import READ, URGENT, WRITE

_COUNT = struct.Struct("<I4x")
_ONE = struct.Struct("<I4xQ")
_TIMEVAL = struct.Struct("<ii")
_set_count = _COUNT.pack_into
_unpack_one = _ONE.unpack_from
_unpack_timeval = _TIMEVAL.unpack_from
_ARRAYS = tuple(struct.Struct(f"<{n}Q") for n in range(c.FD_SETSIZE + 1))
READ_OR_WRITE = READ | WRITE
_POLLFD = struct.Struct("<Qhh4x")
ARRAY = _COUNT.size  # where the sockets begin
CHUNK = 1 << 16  # bytes of a raw address that are read at once: a count may be nonsense
_MASK = (1 << 64) - 1

POLL_MAY_ASK = c.POLLRDNORM | c.POLLRDBAND | c.POLLWRNORM
FIRST_THAT_TELLS = 19041  # Windows 10, version 2004: from then on WSAPoll reports failed connects
NEWEST = 1 << 30

# -- select


def select(nfds: int, readfds: Any, writefds: Any, exceptfds: Any, timeout: Any) -> int:
    """Wait until one of these sockets is ready; how many are, over all sets; 0 when the time is up.

    nfds        ignored
    readfds     data, a connection to accept, the end of the stream, a reset, closed by another thread
    writefds    room to send, a connect that succeeded
    exceptfds   urgent data, a connect that failed
    timeout     timeval (two 32-bit longs: seconds, microseconds), left alone; NULL waits for ever

    The sets are NULL or fd_sets; what is not ready is taken out.  A failure leaves them alone.
    WSAEINVAL when all are NULL or empty, or the timeout is negative, WSAENOTSOCK, WSAEFAULT,
    WSAEINTR (WSACancelBlockingCall).  Source: facts; the negative timeout: document.
    """
    try:
        # The short way: what is ready now, if the network alone can tell.  Any exception leads to the long way.
        ts = _tls.state
        sockets: Any = ts.sockets
        wanted: dict[Any, int] = {}
        reads = writes = 0
        ep: Any = None
        look: Any = None
        if readfds is not None:
            reads, to_read = _unpack_one(readfds)
            if readfds is writefds:
                raise LookupError
        if writefds is not None:
            writes, to_write = _unpack_one(writefds)
            if type(writefds) is bytes:
                raise LookupError
        if reads == 1 == writes and exceptfds is None:
            ep, other = sockets[to_read], sockets[to_write]
            if not (ep.shape.ready and other.shape.ready):
                raise LookupError
            first, second, look = ts.pair
            if first() is not ep or second() is not other:
                wanted[ep.look_key()] = READ
                key = other.look_key()
                wanted[key] = READ_OR_WRITE if key in wanted else WRITE
                look = ep.shape.network.looker(ts, wanted)
                ts.pair = ref(ep), ref(other), look
        else:
            if reads == 1:
                ep = sockets[to_read]
                if not ep.shape.ready:
                    raise LookupError
                wanted[ep.look_key()] = READ
            elif reads:
                ep = _want(wanted, READ, readfds, reads, sockets)
            if writes == 1:
                ep = sockets[to_write]
                if not ep.shape.ready:
                    raise LookupError
                key = ep.look_key()
                wanted[key] = READ_OR_WRITE if key in wanted else WRITE
            elif writes:
                ep = _want(wanted, WRITE, writefds, writes, sockets)
            if exceptfds is not None:
                if exceptfds is readfds or exceptfds is writefds:
                    raise LookupError
                count, _ = _unpack_one(exceptfds)
                if count:
                    ep = _want(wanted, URGENT, exceptfds, count, sockets)
                    _set_count(exceptfds, 0, count)  # it can be written
        waits = 1
        if timeout is not None:
            seconds, microseconds = _unpack_timeval(timeout)
            waits = seconds | microseconds
            if waits < 0:
                raise LookupError
        if look is None:
            known, look = ts.looker
            if known != wanted:
                look = ep.shape.network.looker(ts, wanted)
        ready = look(0)
        readable = writable = 0
        for _, got in ready:
            if got == READ:
                readable += 1
            elif got == WRITE:
                writable += 1
            elif got == READ_OR_WRITE:
                readable += 1
                writable += 1
            else:
                raise LookupError
        if ready or not waits:
            if readable != reads:
                if readable:
                    _keep(readfds, READ, ready, sockets)
                else:
                    _set_count(readfds, 0, 0)
            elif type(readfds) is bytes:
                raise LookupError
            if writable != writes:
                if writable:
                    _keep(writefds, WRITE, ready, sockets)
                else:
                    _set_count(writefds, 0, 0)
            if exceptfds is not None:
                _set_count(exceptfds, 0, 0)
            ts.last_error = 0
            return readable + writable
    except Exception:
        pass  # the long way finds out what was wrong
    return _select(readfds, writefds, exceptfds, timeout)


def _handles(ptr: Any, count: int) -> tuple[int, ...]:
    return (_ARRAYS[count] if count < len(_ARRAYS) else struct.Struct(f"<{count}Q")).unpack_from(ptr, ARRAY)


def _want(wanted: dict[Any, int], events: int, ptr: Any, count: int, sockets: Any) -> Any:
    """Add the sockets of an fd_set to what is wanted; one of them.  LookupError if one is there twice."""
    handles = _handles(ptr, count)
    if len({*handles}) != count:
        raise LookupError
    for handle in handles:
        ep = sockets[handle]
        if not ep.shape.ready:
            raise LookupError
        key = ep.look_key()
        wanted[key] = wanted.get(key, 0) | events
    return ep


def _keep(ptr: Any, events: int, ready: list[tuple[Any, int]], sockets: Any) -> None:
    """Leave those in an fd_set that are ready."""
    keys = {key for key, got in ready if got & events}
    (count,) = _COUNT.unpack_from(ptr)
    kept = []
    for handle in _handles(ptr, count):
        ep = sockets.get(handle)
        if ep is not None and ep.shape.ready and ep.look_key() in keys:
            kept.append(handle)
    struct.pack_into(f"<I4x{len(kept)}Q", ptr, 0, len(kept), *kept)


@export(SOCKET_ERROR)
def _select(ts: ThreadState, readfds: Any, writefds: Any, exceptfds: Any, timeout: Any) -> int:
    pointers = (readfds, writefds, exceptfds)
    sets = [read_set(ptr) for ptr in pointers]
    if not any(sets):
        raise WinsockError(WSA.WSAEINVAL)
    milliseconds = _milliseconds(timeout)
    eps = [[endpoint(ts, handle) for handle in handles] for handles in sets]
    for ptr, handles in zip(pointers, sets):
        if not memory.is_null(ptr):
            memory.writable(ptr, _COUNT.size + 8 * len(handles))
    procs = next(ep for some in eps for ep in some).procs
    try:
        ready = procs.select(*eps, milliseconds)
    except WinsockError as e:
        if e.code == WSA.WSAENOTSOCK:  # closed while select waited: it is in none of the sets any more
            _write_sets(pointers, ([], [], []))
        raise
    return _write_sets(pointers, ready)


def read_set(ptr: Any) -> list[int]:
    """The sockets of an fd_set; none for NULL."""
    if memory.is_null(ptr):
        return []
    (count,) = _COUNT.unpack(memory.read(ptr, _COUNT.size))
    if not count:
        return []
    known = memory.size(ptr)
    if known is not None:
        if known < ARRAY + 8 * count:
            raise memory.fault()
        return list(struct.unpack_from(f"<{count}Q", memory.read(ptr, ARRAY + 8 * count), ARRAY))
    handles: list[int] = []
    at, end = int(ptr) + ARRAY, int(ptr) + ARRAY + 8 * count
    while at < end:
        data = memory.read(at, min(CHUNK, end - at))
        handles += struct.unpack(f"<{len(data) // 8}Q", data)
        at += len(data)
    return handles


def _write_sets(pointers: tuple[Any, ...], ready: tuple[list[Endpoint], ...]) -> int:
    """Store the sets, each socket once.  One set that was passed twice becomes the union, and counts once."""
    stored: dict[int, tuple[Any, list[int]]] = {}
    for ptr, eps in zip(pointers, ready):
        if memory.is_null(ptr):
            continue
        handles = stored.setdefault(memory.address(ptr), (ptr, []))[1]
        seen = set(handles)
        for ep in eps:
            if ep.handle not in seen:
                seen.add(ep.handle)
                handles.append(ep.handle)
    total = 0
    for ptr, handles in stored.values():
        memory.write(ptr, struct.pack(f"<I4x{len(handles)}Q", len(handles), *handles))
        total += len(handles)
    return total


def _milliseconds(ptr: Any) -> float | None:
    """A timeval; None for NULL."""
    if memory.is_null(ptr):
        return None
    seconds, microseconds = _TIMEVAL.unpack(memory.read(ptr, _TIMEVAL.size))
    if seconds < 0 or microseconds < 0:
        raise WinsockError(WSA.WSAEINVAL)
    milliseconds: float = seconds * 1e3 + microseconds / 1e3
    return milliseconds


def __WSAFDIsSet(fd: int, set: Any) -> int:
    """FD_ISSET: whether the socket is among the counted entries of the fd_set.  Touches no last error."""
    try:
        return int(int(fd) & _MASK in read_set(set))
    except (WinsockError, TypeError, ValueError):
        return 0


# -- WSAPoll


@export(SOCKET_ERROR)
def WSAPoll(ts: ThreadState, fdArray: Any, fds: int, timeout: int) -> int:
    """Wait until one of these sockets has an event; how many have, 0 when the time is up.

    fdArray   WSAPOLLFDs of 16 bytes: SOCKET fd, short events, short revents (filled in)
    fds       how many
    timeout   milliseconds; 0 does not wait, a negative one waits for ever

    Events to ask for: POLLRDNORM, POLLRDBAND (together POLLIN), POLLWRNORM (POLLOUT); any other is WSAEINVAL.
    POLLERR, POLLHUP and POLLNVAL come unasked.  What is not a socket gets POLLNVAL and does not count; a socket
    that is closed while WSAPoll waits gets it too and counts.

    WSAEFAULT, WSAEINVAL (no entries, or all INVALID_SOCKET), WSAENOTSOCK (no entry is a socket), WSAEINTR.
    A process whose services["windows build"] is below 19041 never hears of failed connects here, as it was before
    Windows 10, version 2004.  Source: facts, document; no socket at all: document, observed on Wine.
    """
    count, timeout = dword(fds), c_int(timeout)
    if not count:
        raise WinsockError(WSA.WSAEINVAL)
    if fdArray is None:
        raise memory.fault()
    data = bytearray(_read_array(fdArray, count * _POLLFD.size))
    asked: list[tuple[Endpoint | None, int]] = []
    wanted: dict[Endpoint, int] = {}
    for i in range(count):
        handle, events, _ = _POLLFD.unpack_from(data, i * _POLLFD.size)
        ep: Any = ts.sockets.get(handle)
        if ep is not None and events & ~POLL_MAY_ASK:
            raise WinsockError(WSA.WSAEINVAL)
        asked.append((ep, events))
        if ep is not None:
            wanted[ep] = wanted.get(ep, 0) | _wanted(ts, events)
    memory.writable(fdArray, len(data))
    found: dict[Endpoint, int] = {}
    if wanted:
        found = afd.wait_for(wanted, None if timeout < 0 else float(timeout))
    n = 0
    for i, (ep, events) in enumerate(asked):
        revents = c.POLLNVAL
        if ep is not None:
            revents = _revents(found.get(ep, 0), events)
            n += revents != 0
        struct.pack_into("<H", data, i * _POLLFD.size + 10, revents)
    memory.write(fdArray, data)
    if not wanted:
        nothing = all(int.from_bytes(data[i : i + 8], "little") == _MASK for i in range(0, len(data), _POLLFD.size))
        raise WinsockError(WSA.WSAEINVAL if nothing else WSA.WSAENOTSOCK)
    return n


def _read_array(ptr: Any, size: int) -> bytes:
    known = memory.size(ptr)
    if known is not None:
        return memory.read(ptr, size)
    return b"".join(memory.read(int(ptr) + at, min(CHUNK, size - at)) for at in range(0, size, CHUNK))


def _wanted(ts: ThreadState, events: int) -> int:
    wanted = _poll.HANGUP_SEEN | _poll.RESET
    if ts.process.services.get("windows build", NEWEST) >= FIRST_THAT_TELLS:
        wanted |= _poll.CONNECT_FAILED
    if events & c.POLLRDNORM:
        wanted |= _poll.READ | _poll.ACCEPT
    if events & c.POLLRDBAND:
        wanted |= _poll.OOB
    if events & c.POLLWRNORM:
        wanted |= _poll.WRITE
    return wanted


def _revents(ready: int, events: int) -> int:
    """What WSAPoll reports of an endpoint's readiness when these events were asked for."""
    if ready & _poll.CLOSED:
        return c.POLLNVAL
    revents = 0
    if ready & (_poll.READ | _poll.ACCEPT):
        revents |= c.POLLRDNORM
    if ready & _poll.OOB:
        revents |= c.POLLRDBAND
    if ready & _poll.WRITE:
        revents |= c.POLLWRNORM
    if ready & _poll.HANGUP_SEEN:
        revents |= c.POLLHUP
    if ready & _poll.RESET:
        revents |= c.POLLERR | c.POLLHUP
    if ready & _poll.CONNECT_FAILED:
        revents |= c.POLLERR | c.POLLHUP | c.POLLWRNORM
    return revents & (events | c.POLLERR | c.POLLHUP)
