"""The `_socket` module as CPython has it on Windows, on top of the core.

A socket here owns an endpoint of the core, which is CPython's own C socket too, but one that never waits: the timeout
is this one's affair.  What in C wants a socket of that type, and waits itself (ssl), gets a twin of it on the same
descriptor.
"""

from __future__ import annotations

import _socket
import operator
import struct
import sys
import time
import warnings
from typing import Any

from winsock import spi
from winsock.abi import _constants as c
from winsock.afd import State
from winsock.afd._connection import check_close, poll_connect
from winsock.afd._options import ACCEPT_CONTEXT, connected_by, plan
from winsock.afd._options import settings as option_settings
from winsock.codes import WSA, WinsockError
from winsock.python import _addresses, _endpoints, _oserror
from winsock.python._oserror import face, winsock_error
from winsock.python._socket_modes import (
    MAX_INT,
    check_option,
    checked,
    mode_of,
    readiness_wait,
    retry_syn,
    set_quickack,
    set_timeout,
    shown_of,
    timeout_of,
)
from winsock.python._socket_names import CONSTANTS
from winsock.python._socket_parts import OFFERED, Gone, Twin, gone, settings
from winsock.python._socket_transfers import Transfers
from winsock.transports import READ, WRITE
from winsock.transports.host._numbers import family_of

_C = _socket.socket
_fileno, _gettimeout, _settimeout = _C.fileno, _C.gettimeout, _C.settimeout
_setsockopt = _C.setsockopt

_name_of = _C.getsockname
CONNECTED = State.CONNECTED

CONNECT_CONTEXT = (c.SOL_SOCKET, c.SO_UPDATE_CONNECT_CONTEXT)
HANDLE_SIZE = 8
SHORT = (LookupError, AttributeError, TypeError, ValueError, WinsockError)  # what a signal's handler hardly raises
QUICKACK: Any = CONSTANTS.get("TCP_QUICKACK", ...)
KEEPALIVE_VALS = struct.Struct("<3I")
MAX_BUFLEN = 1024
PATIENCE = 20_000  # ms in which Windows sends again what nobody acknowledges; five times, of a fresh connection's


class socket(Transfers):
    """A socket on Windows: socket(family=AF_INET, type=SOCK_STREAM, proto=0, fileno=None).

    fileno    a descriptor to take over, or the bytes of share()
    """

    __slots__ = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> socket:
        self = object.__new__(cls)
        self._ep = gone(0, 0, 0, None)
        return self

    @face
    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
        if self._ep.__class__ is not Gone:
            self.close()
        if fileno is None:
            family = c.AF_INET if family == -1 else int(family)
            type = c.SOCK_STREAM if type == -1 else int(type)
            proto = 0 if proto == -1 else int(proto)
            if family not in _addresses.ANY:
                raise WinsockError(WSA.WSAEAFNOSUPPORT)
            ep: Any = _endpoints.fresh(family, type, proto)
            if settings.timing == "windows" and type == c.SOCK_STREAM and family != c.AF_UNIX:
                _setsockopt(ep, _socket.IPPROTO_TCP, _socket.TCP_USER_TIMEOUT, PATIENCE)
            if settings.timeout is None:
                self._ep = ep
                return
        else:
            if isinstance(fileno, bytes):
                fd, family, type, proto = _endpoints.from_share(fileno), -1, -1, -1
            elif isinstance(fileno, float):
                raise TypeError("integer argument expected, got float")
            else:
                fd = operator.index(fileno)
                if fd == -1:
                    raise ValueError("negative file descriptor")
            ep = _endpoints.endpoints.get(fd)
            if ep is None or ep.closed or _fileno(ep) != fd:
                ep = _endpoints.adopt(fd)
                _endpoints.offer(fd, ep)
            if proto not in (-1, ep.proto):  # a number that is shown, no more
                before = _gettimeout(ep)
                _C.__init__(ep, family_of(ep), ep.type, proto, fd)
                _settimeout(ep, before)
            if ep.rest.face is not OFFERED:
                self._ep = ep  # another object has it, too; that one's timeout is this one's
                return
            ep.rest.face = None
            shown = ep.family if family == -1 else family, ep.type if type == -1 else type
            if shown != (ep.family, ep.type):
                mode_of(ep).shown = shown
        self._ep = ep
        set_timeout(ep, settings.timeout)

    def __del__(self) -> None:
        if isinstance(getattr(self, "_ep", None), (Gone, None.__class__)):
            return
        try:
            if not sys.is_finalizing():
                warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
        except Warning as e:
            e.__traceback__ = None
            raise
        finally:
            try:
                self.close()
            except OSError:
                pass

    # -- what the object knows

    @property
    def family(self) -> int:
        """the socket family"""
        return shown_of(self._ep)[0]

    @property
    def type(self) -> int:
        """the socket type"""
        return shown_of(self._ep)[1]

    @property
    def proto(self) -> int:
        """the socket protocol"""
        protocol: int = self._ep.proto
        return protocol

    @property
    def timeout(self) -> float | None:
        """the socket timeout"""
        return timeout_of(self._ep)

    def __repr__(self) -> str:
        ep = self._ep
        family, type = shown_of(ep)
        return f"<socket object, fd={ep.fileno()}, family={family}, type={type}, proto={ep.proto}>"

    def fileno(self) -> int:
        """fileno(): the descriptor; -1 when the socket is closed."""
        fd: int = self._ep.fileno()
        return fd

    # -- names and connections

    @face
    def bind(self, address: Any, /) -> None:
        """bind(address): give the socket a local address, (host, port) for IP."""
        ep = self._endpoint()
        ep.procs.bind(ep, _addresses.parse(ep.family, address, "bind"))

    @face
    def connect(self, address: Any, /) -> None:
        """connect(address): connect to a peer; raises what connect_ex returns."""
        code = self._connect(address, "connect")
        if code:
            raise WinsockError(code)

    @face
    def connect_ex(self, address: Any, /) -> int:
        """connect_ex(address): 0, or the code of what went wrong with the call."""
        try:
            return self._connect(address, "connect_ex")
        except TimeoutError as e:
            if _oserror.is_windows(e):
                raise
            return WSA.WSAEWOULDBLOCK

    def _connect(self, address: Any, caller: str) -> int:
        ep = self._endpoint()
        address = _addresses.parse(ep.family, address, caller)
        timeout = timeout_of(self._ep)
        start = time.monotonic()
        try:
            ep.procs.connect(ep, address)
            return 0
        except WinsockError as e:
            code = e.code
        if code == WSA.WSAEALREADY:
            return WSA.WSAEINVAL  # CPython starts Winsock as a 1.1 program, and such a one is told this instead
        if code == WSA.WSAEWOULDBLOCK and timeout:
            if not readiness_wait(ep, WRITE, timeout):
                raise TimeoutError("timed out")
            poll_connect(ep)
            code = 0 if ep.state is State.CONNECTED else ep.so_error
        if code == WSA.WSAECONNREFUSED and settings.timing == "windows" and timeout != 0:
            retry_syn(ep, start, timeout)
        return int(code)

    @face
    def listen(self, backlog: int = 128, /) -> None:
        """listen([backlog]): accept connections from now on; backlog many may wait."""
        ep = self._endpoint()
        backlog = operator.index(backlog)
        if backlog > MAX_INT:
            raise OverflowError("Python int too large to convert to C int")
        ep.procs.listen(ep, max(backlog, 0))

    @face
    def _accept(self) -> tuple[int, Any]:
        """_accept(): (descriptor, address) of the next connection."""
        ep = self._endpoint()
        new, address = self._wait_and_call(READ, ep.procs.accept)
        if new.rest.extra:
            spi.begun(new)
        fd: int = new.fileno()
        _endpoints.offer(fd, new)
        return fd, address

    @face
    def shutdown(self, flag: int, /) -> None:
        """shutdown(how): end receiving (SHUT_RD), sending (SHUT_WR) or both (SHUT_RDWR)."""
        ep = self._endpoint()
        if abs(flag) > MAX_INT:
            raise OverflowError("Python int too large to convert to C int")
        ep.procs.shutdown(ep, flag)

    def getsockname(self) -> Any:
        """getsockname(): the local address."""
        try:
            # The short way, of a connection.
            ep = self._ep
            if ep.shape.state is CONNECTED and ep.shape.procs.plain and "context" not in ep.rest.extra:
                name = _name_of(ep)
                if name[1]:
                    return name
        except (AttributeError, LookupError):
            pass
        except OSError as e:
            if e.errno is None:  # a signal's handler raised it
                raise
        return self._getsockname()

    @face
    def _getsockname(self) -> Any:
        ep = self._endpoint()
        return ep.procs.getsockname(ep)

    def getpeername(self) -> Any:
        """getpeername(): the peer's address."""
        try:
            ep = self._ep
            rest = ep.rest
            if ep.shape.state is CONNECTED and ep.shape.procs.plain and "context" not in rest.extra and rest.remote:
                return rest.remote
        except AttributeError:
            pass
        return self._getpeername()

    @face
    def _getpeername(self) -> Any:
        ep = self._endpoint()
        return ep.procs.getpeername(ep)

    # -- the end

    @face
    def close(self) -> None:
        """close(): the end of the socket."""
        ep = self._ep
        if ep.__class__ is Gone:
            return
        self._leave(ep)
        _endpoints.closing(ep)
        if ep.rest.options:
            check_close(ep)  # if it raises, this object is closed all the same, as CPython's, and the socket is open
        ep.close()

    @face
    def detach(self) -> int:
        """detach(): give the descriptor away; this object is closed then, the socket is not."""
        ep = self._ep
        if ep.__class__ is Gone:
            return -1
        self._leave(ep)
        ep.own_rest().face = OFFERED
        fd: int = ep.fileno()
        return fd

    def _leave(self, ep: Any) -> None:
        """The endpoint is this object's no more."""
        mode, shape = ep.rest.face, ep.shape
        if mode is None:
            self._ep = gone(shape.family, shape.type, ep.proto, 0.0 if shape.nonblocking else None)
            return
        self._ep = gone(*shown_of(ep), ep.proto, timeout_of(ep))
        if mode.twin is not None:
            mode.twin.detach()

    def _twin(self) -> Twin:
        """A C socket on the same descriptor, with this one's timeout."""
        ep: Any = self._endpoint()
        twin = mode_of(ep).twin = Twin(family_of(ep), ep.type, ep.proto, ep.fileno())
        twin.settimeout(timeout_of(ep))
        return twin

    # -- modes and options

    def settimeout(self, timeout: float | None, /) -> None:
        """settimeout(seconds): how long calls wait; None for ever, 0 not at all."""
        if not (timeout is None or (timeout.__class__ in (float, int) and not timeout)):
            timeout = checked(timeout)
        ep = self._ep
        try:
            if ep.__class__ is not Gone:
                set_timeout(ep, timeout)
                return
        except OSError:
            pass
        raise winsock_error(WSA.WSAENOTSOCK)

    def gettimeout(self) -> float | None:
        """gettimeout(): the timeout in seconds; None: calls wait for ever."""
        return timeout_of(self._ep)

    def getblocking(self) -> bool:
        """getblocking(): whether calls wait."""
        return timeout_of(self._ep) != 0

    def setblocking(self, flag: Any, /) -> None:
        """setblocking(flag): settimeout(None) if true, settimeout(0) if not."""
        self.settimeout(None if flag else 0.0)

    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> int | bytes:
        """getsockopt(level, option[, size]): the option as an int, or as bytes of that size at most."""
        try:
            if not buflen:
                ep = self._ep
                key = level, option
                value: int = ep.rest.options.get(key, ep.shape.quick[key])
                if value <= MAX_INT:
                    return value
        except (AttributeError, TypeError, KeyError):
            pass
        try:
            return self._getsockopt(level, option, buflen)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    @face
    def _getsockopt(self, level: int, option: int, buflen: int) -> int | bytes:
        if not 0 <= buflen <= MAX_BUFLEN:
            raise OSError("getsockopt buflen out of range")
        ep = self._endpoint()
        if option == QUICKACK:
            return ep.rest.face.quickack if ep.rest.face else 0
        if ep.procs.plain and ep.shape.quick is None:
            ep.shape.quick = plan(ep.family, ep.type)
        data = ep.procs.getsockopt(ep, level, option, buflen or 4)
        return data if buflen else int.from_bytes(data[:4], "little", signed=True)

    def setsockopt(self, *args: Any) -> None:
        """setsockopt(level, option, value): value is an int or bytes, or None with a length."""
        try:
            # The short way, as the C-shaped call has it.  Whatever is wrong, the long way finds out.
            level, option, value = args
            ep = self._ep
            key = level, option
            if value.__class__ is int:
                if key == CONNECT_CONTEXT and ep.procs.plain:
                    connected_by(ep)
                    return
                values, bits, tell = ep.shape.settable[key]
                if 0 <= value <= MAX_INT and option != QUICKACK and (values is None or value in values):
                    if bits:
                        value = 1 if value & bits else 0
                    if tell is not None:
                        tell(ep, value)
                    ep.set_option(key, value)
                    return
            elif key == ACCEPT_CONTEXT and value.__class__ is bytes:
                _, _, take = ep.shape.settable[key]
                take(ep, _endpoints.handle_of(value))
                return
        except SHORT:
            pass
        try:
            self._setsockopt(*args)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    @face
    def _setsockopt(self, *args: Any) -> None:
        ep = self._endpoint()
        check_option(args)
        level, option, value = operator.index(args[0]), operator.index(args[1]), args[2]
        shape = ep.shape
        if shape.settable is None and shape.procs.plain and not shape.closed:
            shape.settable = option_settings(type(ep), shape.family, shape.type)
        if isinstance(value, int):
            if option == QUICKACK:
                set_quickack(ep, value)
                return
            data: bytes | None = value.to_bytes(4, "little", signed=True)
        elif value is None:
            data = None
        else:
            with memoryview(value) as view:
                data = bytes(view)
            if (level, option) == ACCEPT_CONTEXT:
                data = _endpoints.handle_of(data).to_bytes(HANDLE_SIZE, "little")
        ep.procs.setsockopt(ep, level, option, data)

    @face
    def ioctl(self, control: int, option: Any, /) -> int:
        """ioctl(code, option): SIO_RCVALL (RCVALL_*), SIO_KEEPALIVE_VALS (on, ms, ms), SIO_LOOPBACK_FAST_PATH."""
        ep = self._endpoint()
        if control in (c.SIO_RCVALL, c.SIO_LOOPBACK_FAST_PATH):
            if not hasattr(option, "__index__"):
                raise TypeError(f"'{type(option).__name__}' object cannot be interpreted as an integer")
            data = struct.pack("<I", option.__index__() & 0xFFFFFFFF)
        elif control == c.SIO_KEEPALIVE_VALS:
            if not isinstance(option, tuple) or len(option) != 3:
                raise TypeError("ioctl() argument 2 must be 3-item tuple")
            data = KEEPALIVE_VALS.pack(*option)
        else:
            raise ValueError(f"invalid ioctl command {control}")
        return len(ep.procs.ioctl(ep, control, data, 0))

    @face
    def share(self, process_id: int, /) -> bytes:
        """share(pid): bytes from which that process can make this socket, by fromshare()."""
        ep = self._endpoint()
        return bytes(spi.write_ticket(ep, process_id, wide=True))
