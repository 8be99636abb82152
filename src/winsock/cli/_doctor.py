"""winsock doctor: what this machine offers, and how faithful each socket option and control code is here.

The second part is made from the tags in abi._options and abi._controls, so it cannot fall behind the code.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import socket
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from winsock._version import __version__
from winsock.abi._controls import CONTROLS
from winsock.abi._options import ALIASES, FOREIGN, OPTIONS, Fidelity
from winsock.codes import WinsockError
from winsock.nt import memory

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 15)  # that the tests have run with
CAP_NET_RAW = 13
MEANINGS = {
    Fidelity.EXACT: "does what Windows does",
    Fidelity.APPROXIMATE: "has the effect, with a difference",
    Fidelity.STORED: "is accepted and reads back, without effect",
    Fidelity.REFUSED: "fails with the code shown",
}
WIDTH, INDENT = 110, 8 * " "


class Check(NamedTuple):
    """One line about this machine.

    good    None where neither answer is wrong
    note    what follows from a bad answer
    """

    name: str
    value: str
    good: bool | None = None
    note: str = ""


class Row(NamedTuple):
    """How faithful one option or control code is."""

    kind: str
    level: str
    name: str
    fidelity: Fidelity
    note: str
    code: str


def main(argv: list[str]) -> int:
    """The verb; 0, or 1 when this machine lacks something that winsock cannot do without."""
    parser = argparse.ArgumentParser(
        prog="winsock doctor",
        description="Show what this machine offers, and how faithful each socket option and control code is.",
    )
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="default: text")
    parser.add_argument("--all", action="store_true", help="list what is exact too")
    args = parser.parse_args(argv)
    checks, rows = machine(), fidelity()
    form = {"text": as_text, "json": as_json, "markdown": as_markdown}[args.format]
    print(form(checks, rows, args.all))
    return int(any(check.good is False for check in checks))


# -- the machine


def _works(attempt: Callable[[], Any]) -> str:
    """Empty if that works; otherwise why not."""
    try:
        attempt()
    except OSError as e:
        return e.strerror or str(e)
    except WinsockError as e:
        return str(e)
    return ""


def _opens(family: int, kind: int, protocol: int, address: Any = None) -> str:
    def attempt() -> None:
        with socket.socket(family, kind, protocol) as s:
            if address is not None:
                s.bind(address)

    return _works(attempt)


def _own_memory() -> str:
    """Raw addresses are read by the kernel, which some sandboxes forbid."""
    block = ctypes.create_string_buffer(b"winsock")
    return _works(lambda: memory.read(ctypes.addressof(block), 4))


def _said(why: str) -> str:
    return f"no: {why}" if why else "yes"


def machine() -> list[Check]:
    """What there is here, as far as it matters."""
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    if sys.version_info[:2] > NEWEST_PYTHON or platform.python_implementation() != "CPython":
        python += f"; tried with CPython up to {NEWEST_PYTHON[0]}.{NEWEST_PYTHON[1]}"
    old = sys.version_info[:2] < OLDEST_PYTHON
    linux = sys.platform == "linux"
    v6 = _opens(socket.AF_INET6, socket.SOCK_DGRAM, 0, ("::1", 0))
    raw = _opens(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    low = _opens(socket.AF_INET, socket.SOCK_STREAM, 0, ("127.0.0.1", 0))
    own = _own_memory()
    netlink = _opens(socket.AF_NETLINK, socket.SOCK_RAW, 0) if linux else "not Linux"
    return [
        Check("winsock", __version__),
        Check("Python", python, not old, "3.11 or newer is needed"),
        Check("kernel", f"{platform.system()} {platform.release()}", linux, "winsock runs on Linux"),
        Check("privileges", "root" if os.geteuid() == 0 else f"user {os.geteuid()}"),
        Check("IPv4 sockets", _said(low), not low, "nothing works without"),
        Check("IPv6 sockets", _said(v6), None, "WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL or WSAENETUNREACH"),
        Check("raw sockets", _said(raw), None, "SOCK_RAW fails with WSAEACCES"),
        Check("local sockets", _said(_opens(socket.AF_UNIX, socket.SOCK_STREAM, 0)), None, "no AF_UNIX"),
        Check("raw addresses", _said(own), None, "pointers given as ints fail with WSAEFAULT"),
        Check("address changes", _said(netlink), None, "SIO_ADDRESS_LIST_CHANGE fails"),
        *_ports(),
    ]


def _ports() -> list[Check]:
    """What port reservations can do for this user; see docs/ports.md."""
    from winsock.cli import _ports_trap
    from winsock.ports import persistent
    from winsock.ports._rights import capable

    join = "yes" if capable(CAP_NET_RAW) else "yes, but this user's programs with SO_REUSEPORT may join"
    allowed = "" if persistent.administrator() else "this user is no administrator"
    return [
        Check("reserved ports", join),
        Check("persistent ports", _said(allowed), None, "CreatePersistentTcpPortReservation fails with 5"),
        Check("ports run", _said(_works(_ports_trap.check)), None, "needs --no-trap"),
    ]


# -- the tags


def fidelity() -> list[Row]:
    """Every option and control code of the reference."""
    alias = {number: name for name, number in ALIASES.items()}
    rows = [
        Row(
            "option",
            o.level_label,
            f"{o.label} = {alias[o.label]}" if o.label in alias else o.label,
            o.fidelity,
            o.note,
            o.refusal,
        )
        for o in (*OPTIONS, *FOREIGN)
    ]
    return rows + [Row("control code", "", r.label, r.fidelity, r.note, r.refusal) for r in CONTROLS]


def _of(rows: Iterable[Row], kind: str, fidelity: Fidelity) -> list[Row]:
    return [row for row in rows if row.kind == kind and row.fidelity is fidelity]


def _shown(everything: bool) -> list[Fidelity]:
    return [f for f in Fidelity if everything or f is not Fidelity.EXACT]


KINDS = {"option": "Socket options", "control code": "Control codes"}


def as_text(checks: list[Check], rows: list[Row], everything: bool) -> str:
    """For reading in a terminal."""
    lines = ["This machine"]
    for check in checks:
        bad = check.good is False or (check.good is None and check.value.startswith("no: "))
        lines.append(f"  {check.name:16} {check.value}" + (f" ({check.note})" if bad and check.note else ""))
    for kind, title in KINDS.items():
        lines += ["", title]
        for f in Fidelity:
            found = _of(rows, kind, f)
            lines.append(f"  {f.value:12} {len(found):4}  {MEANINGS[f]}")
        for f in _shown(everything):
            lines += ["", f"  {f.value}"]
            for remark, names in _by_remark(_of(rows, kind, f)).items():
                lines.append(f"    {remark or '(no remark)'}")
                lines += textwrap.wrap(", ".join(names), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    if not everything:
        lines += ["", "winsock doctor --all lists what is exact too."]
    return "\n".join(lines)


def _by_remark(rows: Iterable[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        names = found.setdefault(_remark(row), [])
        if row.name not in names:
            names.append(row.name)
    return found


def _remark(row: Row) -> str:
    return f"{row.code}: {row.note}" if row.code else row.note


def as_markdown(checks: list[Check], rows: list[Row], everything: bool) -> str:
    """For the documentation: the tags alone, as this machine says nothing about others."""
    lines: list[str] = []
    for kind, title in KINDS.items():
        lines += [f"## {title}", ""]
        lines += [f"- {f.value}: {len(_of(rows, kind, f))}; {MEANINGS[f]}" for f in Fidelity]
        lines += ["", "| fidelity | remark | names |", "|---|---|---|"]
        for f in _shown(everything):
            for remark, names in _by_remark(_of(rows, kind, f)).items():
                lines.append(f"| {f.value} | {remark} | {', '.join(f'`{name}`' for name in names)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def as_json(checks: list[Check], rows: list[Row], everything: bool) -> str:
    """For programs: everything, always."""
    return json.dumps(
        {
            "machine": [check._asdict() for check in checks],
            "fidelity": [row._asdict() | {"fidelity": row.fidelity.value} for row in rows],
        },
        indent=1,
    )
