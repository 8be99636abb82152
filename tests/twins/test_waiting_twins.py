"""select and WSAPoll, ioctlsocket, options, and interrupted waits."""

import ctypes
import struct

import pytest
from arms import FAILED, NO_SOCKET, fd_set, i32, members, sin, timeval

from winsock.abi import _constants as c
from winsock.codes import WSA


def pollfds(*entries):
    """WSAPOLLFD[]: (socket, events) each."""
    return bytearray(b"".join(struct.pack("<QhhI", int(s), events, 0, 0) for s, events in entries))


def revents(data):
    return [struct.unpack_from("<h", data, 16 * i + 10)[0] & 0xFFFF for i in range(len(data) // 16)]


################ select ################


def test_select_on_nothing(ws):
    for sets in ((None, None, None), (fd_set(), fd_set(), None)):
        r = ws.select(0, *sets, timeval())
        assert (r.ret, r.error) == (FAILED, WSA.WSAEINVAL)


def test_select_a_stranger(ws):
    assert ws.select(0, fd_set(NO_SOCKET), None, None, timeval()).error == WSA.WSAENOTSOCK


def test_select_readable(ws, kit):
    a, b = kit.pair()
    waiting = fd_set(a, b)
    assert ws.select(0, waiting, None, None, timeval()).ret == 0
    assert members(waiting) == []
    ws.send(a, b"x", 1, 0)
    waiting = fd_set(a, b)
    assert ws.select(0, waiting, None, None, timeval(60)).ret == 1
    assert members(waiting) == [int(b)]


def test_select_writable(ws, kit):
    a, _ = kit.pair()
    ready = fd_set(a)
    assert ws.select(0, None, ready, None, timeval()).ret == 1
    assert members(ready) == [int(a)]


def test_select_acceptable(ws, kit):
    listener, client = kit.listener(), kit.tcp()
    ws.connect(client, kit.name(listener), 16)
    ready = fd_set(listener)
    assert ws.select(0, ready, None, None, timeval(60)).ret == 1


def test_refused_connect_is_an_exception(ws, kit):
    s = kit.nonblocking(kit.tcp())
    assert ws.connect(s, sin(port=kit.deaf_port()), 16).error == WSA.WSAEWOULDBLOCK
    reading, writing, failing = fd_set(s), fd_set(s), fd_set(s)
    assert ws.select(0, reading, writing, failing, timeval(10)).ret == 1
    assert (members(reading), members(writing), members(failing)) == ([], [], [int(s)])
    r, code = kit.option(s, c.SOL_SOCKET, c.SO_ERROR)
    assert (r.ret, code) == (0, WSA.WSAECONNREFUSED)


@pytest.mark.wine(differs="it is taken for none")
def test_select_negative_timeout(ws, kit):
    assert ws.select(0, fd_set(kit.bound(kit.udp())), None, None, struct.pack("<ii", -1, 0)).error == WSA.WSAEINVAL


################ WSAPoll ################


def test_poll_readable_and_writable(ws, kit):
    a, b = kit.pair()
    ws.send(a, b"x", 1, 0)
    assert ws.select(0, fd_set(b), None, None, timeval(60)).ret == 1
    fds = pollfds((a, c.POLLWRNORM), (b, c.POLLRDNORM))
    assert ws.WSAPoll(fds, 2, 0).ret == 2
    assert revents(fds) == [c.POLLWRNORM, c.POLLRDNORM]


def test_poll_a_stranger(ws, kit):
    a, _ = kit.pair()
    fds = pollfds((NO_SOCKET, c.POLLRDNORM), (a, c.POLLWRNORM))
    assert ws.WSAPoll(fds, 2, 0).ret == 1
    assert revents(fds) == [c.POLLNVAL, c.POLLWRNORM]


def test_poll_nothing(ws):
    r = ws.WSAPoll(None, 0, 0)
    assert (r.ret, r.error) == (FAILED, WSA.WSAEINVAL)


def test_poll_hang_up(ws, kit):
    a, b = kit.pair()
    ws.closesocket(b)
    assert ws.select(0, fd_set(a), None, None, timeval(60)).ret == 1
    fds = pollfds((a, c.POLLRDNORM))
    assert ws.WSAPoll(fds, 1, 0).ret == 1
    assert revents(fds)[0] & c.POLLHUP


################ ioctlsocket ################


def test_bytes_to_read(ws, kit):
    a, b = kit.pair()
    ws.send(a, b"12345", 5, 0)
    assert ws.select(0, fd_set(b), None, None, timeval(60)).ret == 1
    n = ctypes.c_uint32(77)
    assert ws.ioctlsocket(b, c.FIONREAD, n).ret == 0
    assert n.value == 5


def test_ioctl_refusals(ws, kit):
    s = kit.tcp()
    assert ws.ioctlsocket(s, c.FIONBIO, None).error == WSA.WSAEFAULT
    assert ws.ioctlsocket(s, 0x1234, ctypes.c_uint32(0)).error == WSA.WSAEOPNOTSUPP
    assert ws.ioctlsocket(NO_SOCKET, c.FIONBIO, ctypes.c_uint32(0)).error == WSA.WSAENOTSOCK


################ options ################

BOOLS = ["SO_REUSEADDR", "SO_KEEPALIVE", "SO_OOBINLINE"]


@pytest.mark.parametrize("name", BOOLS)
def test_switch_on_and_off(ws, kit, name):
    s, option = kit.tcp(), getattr(c, name)
    assert kit.option(s, c.SOL_SOCKET, option)[1] == 0
    for value in (1, 0):
        assert kit.set(s, c.SOL_SOCKET, option, value).ret == 0
        r, seen = kit.option(s, c.SOL_SOCKET, option)
        assert (r.ret, bool(seen)) == (0, bool(value))


def test_type_and_protocol(ws, kit):
    assert kit.option(kit.tcp(), c.SOL_SOCKET, c.SO_TYPE)[1] == c.SOCK_STREAM
    assert kit.option(kit.udp(), c.SOL_SOCKET, c.SO_TYPE)[1] == c.SOCK_DGRAM
    assert kit.set(kit.tcp(), c.SOL_SOCKET, c.SO_TYPE, 1).error == WSA.WSAENOPROTOOPT


def test_accepting(ws, kit):
    assert kit.option(kit.listener(), c.SOL_SOCKET, c.SO_ACCEPTCONN)[1] == 1
    assert kit.option(kit.tcp(), c.SOL_SOCKET, c.SO_ACCEPTCONN)[1] == 0


def test_buffer_sizes_are_what_was_set(ws, kit):
    s = kit.tcp()
    for option in (c.SO_SNDBUF, c.SO_RCVBUF):
        assert kit.set(s, c.SOL_SOCKET, option, 5000).ret == 0
        assert kit.option(s, c.SOL_SOCKET, option)[1] == 5000


def test_option_refusals(ws, kit):
    s = kit.tcp()
    assert kit.option(s, c.SOL_SOCKET, 0x7777)[0].error == WSA.WSAENOPROTOOPT
    assert kit.option(s, c.SOL_SOCKET, c.SO_TYPE, 2)[0].error == WSA.WSAEFAULT
    assert ws.getsockopt(s, c.SOL_SOCKET, c.SO_TYPE, None, i32(4)).error == WSA.WSAEFAULT
    assert kit.option(s, 0x4321, 1)[0].error == WSA.WSAEINVAL
    assert ws.setsockopt(s, c.SOL_SOCKET, c.SO_KEEPALIVE, None, 4).error == WSA.WSAEFAULT


def test_linger(ws, kit):
    s, data = kit.tcp(), bytearray(4)
    assert ws.setsockopt(s, c.SOL_SOCKET, c.SO_LINGER, struct.pack("<HH", 1, 30), 4).ret == 0
    assert ws.getsockopt(s, c.SOL_SOCKET, c.SO_LINGER, data, i32(4)).ret == 0
    assert struct.unpack("<HH", data) == (1, 30)
    assert kit.option(kit.udp(), c.SOL_SOCKET, c.SO_LINGER)[0].error == WSA.WSAENOPROTOOPT


def test_nodelay(ws, kit):
    s = kit.tcp()
    assert kit.set(s, c.IPPROTO_TCP, c.TCP_NODELAY, 1).ret == 0
    assert kit.option(s, c.IPPROTO_TCP, c.TCP_NODELAY)[1] == 1


def test_accepted_sockets_inherit(ws, kit):
    listener, client = kit.listener(), kit.tcp()
    assert kit.set(listener, c.SOL_SOCKET, c.SO_KEEPALIVE, 1).ret == 0
    kit.nonblocking(listener)
    ws.connect(client, kit.name(listener), 16)
    assert ws.select(0, fd_set(listener), None, None, timeval(60)).ret == 1
    s = kit.keep(ws.accept(listener, None, None))
    assert kit.option(s, c.SOL_SOCKET, c.SO_KEEPALIVE)[1] == 1
    assert ws.recv(s, bytearray(1), 1, 0).error == WSA.WSAEWOULDBLOCK


################ interrupted ################


@pytest.mark.wine(differs="Wine does not translate the status of a closed handle")
def test_accept_while_the_listener_is_closed(arm, ws, kit):
    listener = kit.listener()
    call = arm.thread("accepting").start(ws.accept, listener, None, None)
    assert call.blocks()
    assert ws.closesocket(listener).ret == 0
    assert call.join().error == WSA.WSAEINTR
