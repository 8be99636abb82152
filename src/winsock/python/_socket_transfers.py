"""Sending and receiving, the larger half of the socket class.

What needs no more than the kernel goes to it at once; what does is refused, waited for and explained by the core.
"""

from __future__ import annotations

import _socket
import operator
import time
from collections.abc import Callable
from select import POLLIN, POLLPRI, POLLRDHUP, poll
from typing import Any

from winsock.afd import Endpoint
from winsock.afd._data import ignored, lost
from winsock.codes import WSA, WinsockError
from winsock.python import _addresses, _oserror
from winsock.python._oserror import face, winsock_error
from winsock.python._socket_modes import mode_of, readiness_wait, timeout_of
from winsock.python._socket_parts import Gone, check_destination, numeric_destination, octets_of, room_in
from winsock.transports import READ, WRITE

_C = _socket.socket
_recv, _send, _recv_into = _C.recv, _C.send, _C.recv_into
_recvfrom, _sendto = _C.recvfrom, _C.sendto
DONTWAIT = _socket.MSG_DONTWAIT
WOULDBLOCK = int(WSA.WSAEWOULDBLOCK)
MESSAGE_FLAGS = DONTWAIT | _socket.MSG_TRUNC  # the length is then the whole message's
SEND_FLAGS = DONTWAIT | _socket.MSG_NOSIGNAL
ANYTHING = POLLIN | POLLPRI | POLLRDHUP
TEST = (OSError, AttributeError, TypeError, ValueError, OverflowError)


def _too_long(error: BaseException, bufsize: int) -> BaseException:
    """What a receive of C met; since 3.15 it has no bytes for a message that is longer than asked for."""
    if isinstance(error, ValueError) and bufsize >= 0:
        return WinsockError(WSA.WSAEMSGSIZE)
    return error.with_traceback(None)


class Transfers:
    """The methods that move data, and what they stand on."""

    __slots__ = ("_ep",)
    _ep: Any  # an Endpoint, or what is left of one

    def _endpoint(self) -> Endpoint:
        ep: Any = self._ep
        if ep.__class__ is Gone:
            raise WinsockError(WSA.WSAENOTSOCK)
        open_one: Endpoint = ep
        return open_one

    def _wait_and_call(self, events: int, call: Callable[..., Any], *args: Any) -> Any:
        """As CPython does it: with a timeout, select() and then the call; without one, the call alone."""
        ep = self._endpoint()
        timeout = timeout_of(ep)
        if not timeout:
            return call(ep, *args)
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left < 0 or not readiness_wait(ep, events, left):
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
        if fd < 0 or not ep.shape.fast_recv or timeout_of(ep) != 0:
            return None
        poller = poll()
        poller.register(fd, ANYTHING)
        mode_of(ep).dry = poller.poll
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
        timeout = timeout_of(self._ep)
        end = time.monotonic() + timeout if timeout else 0.0
        with octets_of(data) as octets:
            while sent < len(octets) or not octets:
                ep = self._endpoint()
                if timeout:
                    left = end - time.monotonic()
                    if left < 0 or not readiness_wait(ep, WRITE, left):
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
