"""The `_socket` module as CPython has it on Windows, on top of the core.

A socket here owns an endpoint of the core, which is CPython's own C socket too, but one that never waits: the timeout
is this one's affair.  What in C wants a socket of that type, and waits itself (ssl), gets a twin of it on the same
descriptor.
"""

from __future__ import annotations

import _socket
import operator
import os
import select
import struct
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from winsock import spi
from winsock.abi import _constants as c
from winsock.afd import Endpoint, State
from winsock.afd._connection import check_close, poll_connect
from winsock.afd._data import ignored, lost
from winsock.afd._options import plan
from winsock.afd._wait import wait_ready
from winsock.codes import WSA, WinsockError
from winsock.nt import current
from winsock.python import _addresses, _endpoints, _oserror
from winsock.python._oserror import face, winsock_error
from winsock.python._socket_names import CONSTANTS
from winsock.python._socket_parts import (
    OFFERED,
    Gone,
    Mode,
    Twin,
    check_destination,
    gone,
    numeric_destination,
    octets_of,
    room_in,
    settings,
)
from winsock.transports import READ, WRITE
from winsock.transports.host._numbers import family_of

_C = _socket.socket
_recv, _send, _recv_into = _C.recv, _C.send, _C.recv_into
_recvfrom, _sendto = _C.recvfrom, _C.sendto
_fileno, _gettimeout, _settimeout = _C.fileno, _C.gettimeout, _C.settimeout
_setsockopt = _C.setsockopt
DONTWAIT = _socket.MSG_DONTWAIT
WOULDBLOCK = int(WSA.WSAEWOULDBLOCK)
MESSAGE_FLAGS = DONTWAIT | _socket.MSG_TRUNC  # the length is then the whole message's
SEND_FLAGS = DONTWAIT | _socket.MSG_NOSIGNAL
ANYTHING = select.POLLIN | select.POLLPRI | select.POLLRDHUP
TEST = (OSError, AttributeError, TypeError, ValueError, OverflowError)

ACCEPT_CONTEXT = (c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT)
QUICKACK: Any = CONSTANTS.get("TCP_QUICKACK", ...)
IP = (c.AF_INET, c.AF_INET6)
KEEPALIVE_VALS = struct.Struct("<3I")
MAX_BUFLEN = 1024
IOCTL_ROOM = 4  # ioctl()'s answer is a DWORD at most
SIZE_OF_PROTOCOL_INFO = 628  # WSAPROTOCOL_INFOW
MAX_INT = 0x7FFFFFFF
PATIENCE = 20_000  # ms in which Windows sends again what nobody acknowledges; five times, of a fresh connection's
SYN_RETRIES = 2.0  # s that Windows spends before it believes a refusal: three more SYNs, half a second apart



def _too_long(error: BaseException, bufsize: int) -> BaseException:
    """What a receive of C met; since 3.15 it has no bytes for a message that is longer than asked for."""
    if isinstance(error, ValueError) and bufsize >= 0:
        return WinsockError(WSA.WSAEMSGSIZE)
    return error.with_traceback(None)


# -- waiting


def _readiness_wait(ep: Endpoint, events: int, seconds: float | None) -> bool:
    return wait_ready(ep, events, None if seconds is None else seconds * 1e3, WSA.WSAENOTSOCK)


def _timeout_of(ep: Any) -> float | None:
    """What settimeout() said."""
    if not ep.shape.nonblocking:
        return None
    mode: Mode | None = ep.rest.face
    return 0.0 if mode is None else mode.timeout


def _mode(ep: Any) -> Mode:
    """What only some sockets have of this face's, to be written to."""
    rest = ep.own_rest()
    if rest.face is None or rest.face is OFFERED:
        rest.face = Mode()
    mode: Mode = rest.face
    return mode


def _shown(ep: Any) -> tuple[int, int]:
    """The family and type that the object shows."""
    mode: Mode | None = ep.rest.face
    return (ep.family, ep.type) if mode is None or mode.shown is None else mode.shown


def _checked(timeout: Any) -> float | None:
    """A timeout as CPython rounds it; its own errors for what is none."""
    if timeout is None:
        return None
    if timeout.__class__ in (int, float) and not timeout:
        return 0.0
    scratch = _C.__new__(_C)
    try:
        _settimeout(scratch, timeout)
    except OSError:
        pass  # it has no descriptor
    return _gettimeout(scratch)


def _check_option(args: tuple[Any, ...]) -> None:
    """Arguments that setsockopt cannot take: CPython's own errors, which differ between versions."""
    if len(args) == 3 and all(arg.__class__ is int and 0 <= arg <= MAX_INT for arg in args):
        return
    scratch = _C.__new__(_C)
    try:
        _setsockopt(scratch, *args)
    except OSError:
        pass  # it has no descriptor


def _set_quickack(ep: Any, value: int) -> None:
    """TCP_QUICKACK, which stands for a control code of Windows; this kernel may leave that mode again."""
    if not ep.stream or ep.family not in IP:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    if value not in (0, 1):
        raise WinsockError(WSA.WSAEINVAL)
    _setsockopt(ep, _socket.IPPROTO_TCP, _socket.TCP_QUICKACK, value)
    _mode(ep).quickack = value


def _set_timeout(ep: Any, timeout: float | None) -> None:
    """A timeout for the endpoint; the descriptor's O_NONBLOCK is what CPython would have made it."""
    _settimeout(ep, None if timeout is None else 0.0)
    if timeout is None and ep.shape.state is State.LISTENING:
        os.set_blocking(_fileno(ep), False)  # accept must never wait in the kernel
    if ep.shape.nonblocking is (timeout is None):
        ep.nonblocking = timeout is not None
    if timeout:
        _mode(ep).timeout = timeout
    mode = ep.rest.face
    if mode is not None and mode is not OFFERED:
        mode.timeout = timeout or 0.0
        mode.dry = None
        if mode.twin is not None:
            mode.twin.settimeout(timeout)


class socket:
    """A socket on Windows: socket(family=AF_INET, type=SOCK_STREAM, proto=0, fileno=None).

    fileno    a descriptor to take over, or the bytes of share()
    """

    __slots__ = ("_ep",)
    _ep: Any  # an Endpoint, or what is left of one

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
            process = current().process
            ep: Any = spi.open_socket(process, family, type, proto, c.WSA_FLAG_OVERLAPPED, named=False)
            _endpoints.remember(_fileno(ep), ep)
            if settings.timing == "windows" and type == c.SOCK_STREAM and family != c.AF_UNIX:
                _setsockopt(ep, _socket.IPPROTO_TCP, _socket.TCP_USER_TIMEOUT, PATIENCE)
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
                _mode(ep).shown = shown
        self._ep = ep
        _set_timeout(ep, settings.timeout)

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
        return _shown(self._ep)[0]

    @property
    def type(self) -> int:
        """the socket type"""
        return _shown(self._ep)[1]

    @property
    def proto(self) -> int:
        """the socket protocol"""
        protocol: int = self._ep.proto
        return protocol

    @property
    def timeout(self) -> float | None:
        """the socket timeout"""
        return _timeout_of(self._ep)

    def __repr__(self) -> str:
        ep = self._ep
        family, type = _shown(ep)
        return f"<socket object, fd={ep.fileno()}, family={family}, type={type}, proto={ep.proto}>"

    def fileno(self) -> int:
        """fileno(): the descriptor; -1 when the socket is closed."""
        fd: int = self._ep.fileno()
        return fd

    def _endpoint(self) -> Endpoint:
        ep: Any = self._ep
        if ep.__class__ is Gone:
            raise WinsockError(WSA.WSAENOTSOCK)
        open_one: Endpoint = ep
        return open_one

    def _wait_and_call(self, events: int, call: Callable[..., Any], *args: Any) -> Any:
        """As CPython does it: with a timeout, select() and then the call; without one, the call alone."""
        ep = self._endpoint()
        timeout = _timeout_of(ep)
        if not timeout:
            return call(ep, *args)
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left < 0 or not _readiness_wait(ep, events, left):
                raise TimeoutError("timed out")
            try:
                return call(ep, *args)
            except WinsockError as e:
                if e.code != WSA.WSAEWOULDBLOCK:
                    raise

    # -- data, at full speed

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """recv(size[, flags]): at most size bytes of a stream, b'' at its end; or one message."""
        error: BaseException | None = None
        dry = None
        try:
            ep = self._ep
            shape = ep.shape
            if shape.fast_recv and not flags:
                mode = ep.rest.face
                if mode is None or (dry := mode.dry) is None:
                    return _recv(ep, bufsize, DONTWAIT)
                if dry(0):
                    dry = mode.dry = None
                    return _recv(ep, bufsize, DONTWAIT)
            elif shape.fast_message and not flags:
                data = _recv(ep, bufsize, MESSAGE_FLAGS)
                if len(data) <= bufsize:
                    return data
                error = WinsockError(WSA.WSAEMSGSIZE)
        except BlockingIOError:
            dry = self._found_none()
        except RuntimeError:
            dry = mode.dry = None  # another thread asks at this moment
        except TEST as e:
            error = _too_long(e, bufsize)
            dry = None
        try:
            if dry is not None:
                raise winsock_error(WOULDBLOCK)
            return self._recv(bufsize, flags, error)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """recv_into(buffer[, size[, flags]]): like recv, into a buffer; how many bytes came."""
        error: BaseException | None = None
        dry = None
        try:
            ep = self._ep
            shape = ep.shape
            if shape.fast_recv and not flags:
                mode = ep.rest.face
                if mode is None or (dry := mode.dry) is None:
                    return _recv_into(ep, buffer, nbytes, DONTWAIT)
                if dry(0):
                    dry = mode.dry = None
                    return _recv_into(ep, buffer, nbytes, DONTWAIT)
        except BlockingIOError:
            dry = self._found_none()
        except RuntimeError:
            dry = mode.dry = None  # another thread asks at this moment
        except TEST as e:
            error = e.with_traceback(None)
            dry = None
        try:
            if dry is not None:
                raise winsock_error(WOULDBLOCK)
            return self._recv_into(buffer, nbytes, flags, error)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    def send(self, data: Any, flags: int = 0, /) -> int:
        """send(data[, flags]): how many bytes were taken; a blocking stream takes all."""
        error, sent = None, 0
        try:
            ep = self._ep
            if ep.shape.fast_send and not flags:
                n = _send(ep, data, SEND_FLAGS)
                if ep.shape.nonblocking or n == len(data):
                    return n
                sent = n
        except BlockingIOError:
            pass
        except TEST as e:
            error = e.with_traceback(None)
        try:
            return self._send(data, flags, sent, error)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """sendall(data[, flags]): send all of it, or raise; then nobody knows how much went."""
        error, n = None, 0
        try:
            ep = self._ep
            if ep.shape.fast_send and not flags:
                n = _send(ep, data, SEND_FLAGS)
                if n == len(data):
                    return
        except BlockingIOError:
            pass
        except TEST as e:
            error = e.with_traceback(None)
        try:
            self._sendall(data, flags, n, error)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    def _found_none(self) -> Callable[[int], Any] | None:
        """A receive had nothing to take.  If it must not wait, the next one asks first: failing costs more."""
        ep = self._ep
        fd = ep.fileno()
        if fd < 0 or not ep.shape.fast_recv or _timeout_of(ep) != 0:
            return None
        poller = select.poll()
        poller.register(fd, ANYTHING)
        _mode(ep).dry = poller.poll
        return poller.poll

    def _failed(self, error: BaseException, receiving: bool = True) -> None:
        """What the short cut met, as the core would have said it; returns if that is nothing."""
        if not isinstance(error, OSError):
            raise error
        ep = self._endpoint()
        transport: Any = ep.transport
        if ep.stream:
            refusal = transport.failure(error)
            lost(ep, refusal.code)
            raise refusal
        if not receiving:
            # It took an earlier message's error, which is the next receive's; or sending again finds this one's own.
            transport.errors_waiting = True
            return
        try:
            transport.receive_failed(error)
        except WinsockError as e:
            if not ignored(ep, e.code):
                raise

    @face
    def _recv(self, bufsize: int, flags: int, error: BaseException | None) -> bytes:
        if error is not None:
            self._failed(error)
        if operator.index(bufsize) < 0:
            raise ValueError("negative buffersize in recv")
        buffer = bytearray(bufsize)
        n = self._receive(buffer, flags)[0]
        return bytes(memoryview(buffer)[:n])

    @face
    def _recv_into(self, buffer: Any, nbytes: int, flags: int, error: BaseException | None) -> int:
        if error is not None:
            self._failed(error)
        n: int = self._receive(room_in(buffer, nbytes, "recv_into"), flags)[0]
        return n

    def _receive(self, buffer: Any, flags: int) -> tuple[int, Any, int]:
        ep = self._endpoint()
        result: tuple[int, Any, int] = self._wait_and_call(READ, ep.procs.recv, [buffer], flags)
        return result

    @face
    def _send(self, data: Any, flags: int, sent: int, error: BaseException | None) -> int:
        if error is not None:
            self._failed(error, receiving=False)
        ep = self._endpoint()
        with octets_of(data) as octets:
            if not sent:
                n: int = self._wait_and_call(WRITE, ep.procs.send, [octets], flags)
                return n
            if sent < len(octets):  # a blocking send takes everything
                sent += ep.procs.send(ep, [octets[sent:]], 0)
        return sent

    @face
    def _sendall(self, data: Any, flags: int, sent: int, error: BaseException | None) -> None:
        if error is not None:
            self._failed(error, receiving=False)
        timeout = _timeout_of(self._ep)
        end = time.monotonic() + timeout if timeout else 0.0
        with octets_of(data) as octets:
            while sent < len(octets) or not octets:
                ep = self._endpoint()
                if timeout:
                    left = end - time.monotonic()
                    if left < 0 or not _readiness_wait(ep, WRITE, left):
                        raise TimeoutError("timed out")
                try:
                    sent += ep.procs.send(ep, [octets[sent:]], flags)
                except WinsockError as e:
                    if e.code != WSA.WSAEWOULDBLOCK or not timeout:
                        raise
                if not octets:
                    return

    # -- datagrams

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """recvfrom(size[, flags]): what recv gives, and the sender's address."""
        error: BaseException | None = None
        try:
            ep = self._ep
            if ep.shape.fast_message and not flags:
                found = _recvfrom(ep, bufsize, MESSAGE_FLAGS)
                if len(found[0]) <= bufsize:
                    return found
                error = WinsockError(WSA.WSAEMSGSIZE)
        except BlockingIOError:
            pass
        except TEST as e:
            error = _too_long(e, bufsize)
        try:
            return self._recvfrom(bufsize, flags, error)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    @face
    def _recvfrom(self, bufsize: int, flags: int, error: BaseException | None) -> tuple[bytes, Any]:
        if error is not None:
            self._failed(error)
        if operator.index(bufsize) < 0:
            raise ValueError("negative buffersize in recvfrom")
        buffer = bytearray(bufsize)
        n, address, _ = self._receive(buffer, flags)
        return bytes(memoryview(buffer)[:n]), address

    @face
    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """recvfrom_into(buffer[, size[, flags]]): like recvfrom, into a buffer."""
        n, address, _ = self._receive(room_in(buffer, nbytes, "recvfrom_into"), flags)
        return n, address

    def sendto(self, data: Any, *args: Any) -> int:
        """sendto(data[, flags], address): send a message there; how many bytes went."""
        error: BaseException | None = None
        try:
            ep = self._ep
            if ep.shape.fast_message and len(args) == 1:
                address = numeric_destination(ep.family, ep.type, args[0])
                n: int = _sendto(ep, data, SEND_FLAGS, address)
                return n
        except (BlockingIOError, LookupError):
            pass
        except TEST as e:
            error = e.with_traceback(None) if isinstance(e, OSError) else None
        try:
            return self._sendto(data, args, error)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    @face
    def _sendto(self, data: Any, args: tuple[Any, ...], error: BaseException | None) -> int:
        if error is not None:
            self._failed(error, receiving=False)
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(args)} given)")
        flags, address = args if len(args) == 2 else (0, args[0])
        with octets_of(data) as octets:
            ep = self._endpoint()
            flags = operator.index(flags)
            address = _addresses.parse(ep.family, address, "sendto")
            check_destination(ep.type, address)
            n: int = self._wait_and_call(WRITE, ep.procs.send, [octets], flags, address)
        return n

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
        timeout = _timeout_of(self._ep)
        start = time.monotonic()
        try:
            ep.procs.connect(ep, address)
            return 0
        except WinsockError as e:
            code = e.code
        if code == WSA.WSAEALREADY:
            return WSA.WSAEINVAL  # CPython starts Winsock as a 1.1 program, and such a one is told this instead
        if code == WSA.WSAEWOULDBLOCK and timeout:
            if not _readiness_wait(ep, WRITE, timeout):
                raise TimeoutError("timed out")
            poll_connect(ep)
            code = 0 if ep.state is State.CONNECTED else ep.so_error
        if code == WSA.WSAECONNREFUSED and settings.timing == "windows" and timeout != 0:
            _retry_syn(ep, start, timeout)
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

    @face
    def getsockname(self) -> Any:
        """getsockname(): the local address."""
        ep = self._endpoint()
        return ep.procs.getsockname(ep)

    @face
    def getpeername(self) -> Any:
        """getpeername(): the peer's address."""
        ep = self._endpoint()
        return ep.procs.getpeername(ep)

    # -- the end

    @face
    def close(self) -> None:
        """close(): the end of the socket."""
        ep = self._ep
        if ep.__class__ is Gone:
            return
        fd: int = ep.fileno()
        self._leave(ep)
        if _endpoints.endpoints.get(fd) is ep:
            _endpoints.endpoints.put(fd, None)
        if ep.rest.options:
            check_close(ep)  # if it raises, this object is closed all the same, as CPython's, and the socket is open
        spi.close(ep)

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
        self._ep = gone(*_shown(ep), ep.proto, _timeout_of(ep))
        mode = ep.rest.face
        if mode is not None and mode.twin is not None:
            mode.twin.detach()

    def _twin(self) -> Twin:
        """A C socket on the same descriptor, with this one's timeout."""
        ep: Any = self._endpoint()
        twin = _mode(ep).twin = Twin(family_of(ep), ep.type, ep.proto, ep.fileno())
        twin.settimeout(_timeout_of(ep))
        return twin

    # -- modes and options

    def settimeout(self, timeout: float | None, /) -> None:
        """settimeout(seconds): how long calls wait; None for ever, 0 not at all."""
        timeout = _checked(timeout)
        ep = self._ep
        try:
            if ep.__class__ is not Gone:
                _set_timeout(ep, timeout)
                return
        except OSError:
            pass
        raise winsock_error(WSA.WSAENOTSOCK)

    def gettimeout(self) -> float | None:
        """gettimeout(): the timeout in seconds; None: calls wait for ever."""
        return _timeout_of(self._ep)

    def getblocking(self) -> bool:
        """getblocking(): whether calls wait."""
        return _timeout_of(self._ep) != 0

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

    @face
    def setsockopt(self, *args: Any) -> None:
        """setsockopt(level, option, value): value is an int or bytes, or None with a length."""
        ep = self._endpoint()
        _check_option(args)
        level, option, value = operator.index(args[0]), operator.index(args[1]), args[2]
        if isinstance(value, int):
            if option == QUICKACK:
                _set_quickack(ep, value)
                return
            data: bytes | None = value.to_bytes(4, "little", signed=True)
        elif value is None:
            data = None
        else:
            with memoryview(value) as view:
                data = bytes(view)
            if (level, option) == ACCEPT_CONTEXT:
                data = _endpoints.as_handle(data)
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



def _retry_syn(ep: Endpoint, start: float, timeout: float | None) -> None:
    """The time that Windows takes to give up; a shorter timeout is over first."""
    left = start + SYN_RETRIES - time.monotonic()
    if timeout is not None and start + timeout - time.monotonic() < left:
        time.sleep(max(0.0, start + timeout - time.monotonic()))
        raise TimeoutError("timed out")
    time.sleep(max(0.0, left))
