"""Who has a port, and why a bind to it would fail."""

from __future__ import annotations

import operator
import socket as linux
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from winsock.codes import WSA
from winsock.ports import _diag, _kernel_list, _markers, _store
from winsock.ports._block import kind_of
from winsock.ports._diag import BOUND, CLOSE, ESTABLISHED, LISTEN, TIME_WAIT, Socket
from winsock.ports._errors import python_shaped
from winsock.ports._listing import holder
from winsock.ports._placeholder import STREAM
from winsock.ports._rights import capable

RUNTIME: Final = "runtime reservation"
PERSISTENT: Final = "persistent reservation"
LISTENER: Final = "listener"
BOUND_ONLY: Final = "bound"
CONNECTION: Final = "connection"
ENDED: Final = "time-wait"
SYSTEM: Final = "system reserved"
PRIVILEGED: Final = "privileged"

CAP_NET_BIND_SERVICE = 10
FIRST_UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is to be known about a port.

    kind            "runtime reservation", "persistent reservation", "listener", "bound", "connection", "time-wait"
                    (connections that have ended), "system reserved" (net.ipv4.ip_local_reserved_ports, by others),
                    "privileged" (below net.ipv4.ip_unprivileged_port_start)
    code            what it makes a bind by number fail with, as a WSA code; 0 if it does not
    address         the socket's local address
    start, count    of the reserved block or range; 0 for a socket
    pid, uid, command    who holds it; None, "" where that cannot be read
    """

    kind: str
    code: int
    address: str = ""
    start: int = 0
    count: int = 0
    pid: int | None = None
    uid: int | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class PortReport:
    """What explain_port found.

    code        what a winsock program's bind to this port fails with now; 0 if it would not
    findings    why, and what else is to be known; what decides first
    """

    port: int
    protocol: str
    code: int
    findings: list[Finding] = field(default_factory=list)


@python_shaped
def explain_port(port: int, protocol: str = "tcp", host: str = "", *, persistent: bool = True) -> PortReport:
    """Say who holds a port of this machine and why a bind to it by number would fail, for this user.

    host          the address that would be bound; every address by default
    persistent    whether to look at the persistent reservations too

    Nothing is bound to find out, but for a moment a port that only has connections in TIME_WAIT.  ValueError for what
    is no port; StoreError when the store of persistent reservations cannot be read.
    """
    kind, port = kind_of(protocol), operator.index(port)
    if not 1 <= port <= _markers.LAST_PORT:
        raise ValueError(f"no port: {port}")
    findings = _reservations(kind, port, _store.rows() if persistent else [])
    blocks = [(f.pid, f.kind) for f in findings if f.kind == RUNTIME]
    found = _diag.sockets(kind, port)
    pids = _diag.owners({s.inode for s in found})
    for s in found:
        pid = pids.get(s.inode)
        if s.host in EVERYWHERE and s.state in (BOUND, CLOSE) and blocks and pid in (None, *(p for p, _ in blocks)):
            continue  # what holds the reserved port, told already
        findings.append(_of_socket(kind, s, pid, host))
    if port < _first_unprivileged():
        allowed = capable(CAP_NET_BIND_SERVICE)
        findings.append(Finding(PRIVILEGED, 0 if allowed else WSA.WSAEACCES, "", 1, _first_unprivileged() - 1))
    administered = [f for f in findings if f.kind == PERSISTENT]
    findings += [
        Finding(SYSTEM, 0, "", first, last - first + 1)
        for first, last in _kernel_list.ranges()
        if first <= port <= last and not administered
    ]
    findings.sort(key=lambda f: (not f.code, f.kind != PRIVILEGED, f.kind != RUNTIME))
    return PortReport(port, protocol, findings[0].code if findings else 0, _once(findings))


def _reservations(kind: int, port: int, rows: list[_store.Row]) -> list[Finding]:
    found = [
        Finding(RUNTIME, WSA.WSAEACCES, "", m.start, m.count, m.pid, *holder(m.pid))
        for m in _markers.markers()
        if m.kind == kind and m.start <= port < m.start + m.count
    ]
    found += [
        Finding(PERSISTENT, 0, "", row.start, row.count)
        for row in rows
        if row.protocol == _markers.PROTOCOLS[kind] and row.range[0] <= port <= row.range[1]
    ]
    return found


def _of_socket(kind: int, s: Socket, pid: int | None, host: str) -> Finding:
    if kind == STREAM:
        name = {LISTEN: LISTENER, TIME_WAIT: ENDED, BOUND: BOUND_ONLY, CLOSE: BOUND_ONLY}.get(s.state, CONNECTION)
    else:
        name = CONNECTION if s.state == ESTABLISHED else BOUND_ONLY
    meets = host in EVERYWHERE or s.host in EVERYWHERE or host == s.host.removeprefix("::ffff:")
    if name == ENDED:
        return Finding(name, WSA.WSAEADDRINUSE if meets and not _lets_in(s) else 0, s.host)
    code = WSA.WSAEADDRINUSE if meets else 0
    uid, command = holder(pid)
    return Finding(name, code, s.host, 0, 0, pid, uid if pid is not None else s.uid, command)


def _lets_in(s: Socket) -> bool:
    """Whether connections that have ended let a bind pass, as winsock's do.  Only a bind can tell."""
    with linux.socket(s.family, linux.SOCK_STREAM) as probe:
        probe.setsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR, 1)
        try:
            probe.bind((s.host, s.port))
        except OSError:
            return False
        return True


def _once(findings: list[Finding]) -> list[Finding]:
    """A hundred connections of one server are one finding."""
    return list(dict.fromkeys(findings))


def _first_unprivileged() -> int:
    try:
        return int(Path(FIRST_UNPRIVILEGED).read_text("ascii"))
    except (OSError, ValueError):
        return 0
