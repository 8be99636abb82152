"""winsock ports: blocks of ports that nobody else can take, and who has which port.

This module reads the command line; what a verb needs beyond that it imports when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from winsock.cli._output import is_trouble

if TYPE_CHECKING:
    from winsock.ports import Block

REFUSED, WRONG_COMMAND_LINE, FAILED = 1, 2, 125
PROTOCOLS = ("tcp", "udp")
HIGHEST = 0xFFFF
LAST_PROCESS = 1 << 22  # the kernel's own limit
DEFAULT_POOL = "15000-24999"  # portserver's own, below the range of automatic assignment
DEFAULT_ADDRESS = "@unittest-portserver"

EPILOG = """\
exit status: 0 done, 1 refused or not there, 2 wrong command line; of `run` and `serve -- COMMAND`: the command's own,
128+n if signal n ended it, 125 if winsock failed, 126 if the command can't be executed, 127 if there is none.

docs/ports.md tells what is guaranteed, and by whom.
"""

RUN_HELP = """\
Run COMMAND with ports that no other process can take, and free them when it ends.

COMMAND finds in its environment
  WINSOCK_TCP_PORTS="50001 50002"   the TCP ports, and WINSOCK_TCP_PORT the first; the same with UDP
  PORT=50001                        if there is one TCP port only
  LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES   (tcp1:tcp2:udp1) sockets bound to them, from descriptor 3, as systemd does

It may bind the ports by number, in any language, in child processes too, or take the sockets.
"""


class Range(NamedTuple):
    """A block as it is written on the command line; start is None where the system is to choose."""

    start: int | None
    size: int


def main(argv: list[str]) -> int:
    """The verb; its exit status."""
    if not argv:
        print(parser().format_help(), end="", file=sys.stderr)
        return WRONG_COMMAND_LINE
    args = parser().parse_args(argv)
    try:
        status: int = args.verb(args)
    except OSError as error:
        if is_trouble(error):
            raise
        print(f"winsock ports {args.name}: {_told(error)}", file=sys.stderr)
        return FAILED if args.name in ("run", "serve") else REFUSED
    return status


def _told(error: OSError) -> str:
    code = getattr(error, "code", None)
    return f"{error.strerror or error}" + (f" [WinError {code}]" if code else "")


# -- the command line -----------------------------------------------------------------------------


def port(text: str) -> int:
    """A port number."""
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number (1-{HIGHEST})")
    return int(text)


def count(text: str) -> int:
    """How many."""
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of ports (1-{HIGHEST})")
    return int(text)


def process(text: str) -> int:
    """A process' number."""
    if not text.isdecimal() or not 0 < int(text) <= LAST_PROCESS:
        raise argparse.ArgumentTypeError(f"{text!r} is no process number")
    return int(text)


def block(text: str) -> Range:
    """FIRST, FIRST-LAST or FIRST+COUNT."""
    first, sign, second = text.partition("+") if "+" in text else text.partition("-")
    start = port(first)
    number = 1 if not sign else port(second) if sign == "+" else port(second) - start + 1
    if start + number - 1 > HIGHEST:
        raise argparse.ArgumentTypeError(f"{text!r} goes past the last port, {HIGHEST}")
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no block of ports (50000, 50000-50009 or 50000+10)")
    return Range(start, number)


def amount(text: str) -> Range:
    """COUNT, or a block written as FIRST-LAST or FIRST+COUNT."""
    return block(text) if "-" in text or "+" in text else Range(None, count(text))


def pool(text: str) -> list[int]:
    """FIRST-LAST,...: the ports a server lends."""
    found: dict[int, None] = {}
    for part in text.split(","):
        start, number = block(part.strip())
        assert start is not None
        found.update(dict.fromkeys(range(start, start + number)))
    return list(found)


def variable(text: str) -> tuple[str, str]:
    """NAME=tcp1."""
    name, sign, value = text.partition("=")
    if not (name and sign and value.rstrip("0123456789") in PROTOCOLS and value[3:].isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=tcp1 or NAME=udp2")
    return name, value


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="winsock ports",
        description="Reserve blocks of TCP or UDP ports, see who holds which, give them to programs.",
        epilog=EPILOG,
        formatter_class=raw,
    )
    verbs = top.add_subparsers(metavar="VERB", required=True)

    def verb(
        name: str, function: object, about: str, description: str = "", epilog: str = "", usage: str | None = None
    ) -> argparse.ArgumentParser:
        description = description or f"{about[0].upper()}{about[1:]}."
        sub = verbs.add_parser(
            name, help=about, description=description, epilog=epilog, usage=usage, formatter_class=raw
        )
        sub.set_defaults(verb=function, name=name)
        return sub

    def protocol(sub: argparse.ArgumentParser, about: str, default: str | None = "tcp") -> None:
        sub.add_argument("--protocol", choices=PROTOCOLS, default=default, help=about)

    blocks = "a port, FIRST-LAST or FIRST+COUNT"
    counts = "how many, if BLOCK is the first port"

    sub = verb("list", _list, "list the reservations of this network namespace, with their owners")
    protocol(sub, "only these, default: both", None)
    sub.add_argument(
        "--format", choices=("text", "netsh", "json"), default="text",
        help="text: netsh's columns and the owner (default); netsh: its columns alone; json: for programs",
    )  # fmt: skip

    sub = verb("explain", _explain, "say who holds a port and whether a bind would work")
    sub.add_argument("port", type=port, nargs="+", metavar="PORT")
    protocol(sub, "default: both", None)
    sub.add_argument("--host", default="", metavar="ADDRESS", help="of the bind, default: all addresses")
    sub.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    from winsock.cli._ports_text import languages

    sub.add_argument("--lang", choices=languages(), default="en", help="language of the text, default: en")

    sub = verb(
        "run", _run, "run a command with ports of its own", description=RUN_HELP, epilog=EPILOG,
        usage="winsock ports run [--tcp N] [--udp N] [OPTION ...] -- COMMAND [ARGUMENT ...]",
    )  # fmt: skip
    for name in PROTOCOLS:
        sub.add_argument(f"--{name}", type=amount, metavar="N", help=f"{name.upper()} ports: how many, or a block")
    sub.add_argument("--both", type=amount, metavar="N", help="ports with the same numbers for TCP and UDP")
    sub.add_argument("--set", type=variable, action="append", default=[], metavar="NAME=tcp1",
                     help="one more environment variable: the first TCP port; may be repeated")  # fmt: skip
    sub.add_argument("--host", default="::", metavar="ADDRESS",
                     help="where the passed sockets are bound, default: all addresses")  # fmt: skip
    sub.add_argument("--listen", action="store_true",
                     help="pass TCP sockets that listen already, for programs that expect systemd's")  # fmt: skip
    sub.add_argument("--no-sockets", action="store_true", help="pass no sockets, only numbers")
    sub.add_argument("--no-trap", action="store_true",
                     help="do not watch the command's bind calls; then it must use the sockets")  # fmt: skip
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")

    sub = verb(
        "reserve", _reserve, "reserve a block: persistently, or for as long as this command runs",
        description="Reserve a block of ports.  With --persistent it stays until it is deleted, over restarts too, "
        "and keeps the\nports from being assigned by chance; administrators only.  Without, nobody at all can use "
        "the ports until\nthis command is ended (^C) or the process given with --for has ended.",
    )  # fmt: skip
    sub.add_argument("block", type=block, nargs="?", metavar="BLOCK", help=f"{blocks}; default: the system chooses")
    sub.add_argument("number", type=count, nargs="?", metavar="COUNT", help=counts)
    sub.add_argument("--count", type=count, default=None, help="how many, if the system chooses; default: 1")
    protocol(sub, "default: tcp")
    sub.add_argument("--persistent", action="store_true", help="keep it until it is deleted")
    sub.add_argument("--for", type=process, dest="pid", metavar="PID", help="free it when this process ends")

    verb(
        "apply", _apply, "tell the kernel of the persistent reservations",
        description="Put the persistent reservations into net.ipv4.ip_local_reserved_ports.  The kernel forgets the\n"
        "list at shutdown; run this at boot.  (So does every other use of the persistent reservations by root.)",
    )  # fmt: skip

    for name, function, about in (
        ("lookup", _lookup, "print the token of a persistent reservation"),
        ("delete", _delete, "delete a persistent reservation"),
    ):
        sub = verb(name, function, about)
        sub.add_argument("block", type=block, metavar="BLOCK", help=f"{blocks}; exactly as it was reserved")
        sub.add_argument("number", type=count, nargs="?", metavar="COUNT", help=counts)
        protocol(sub, "default: tcp")

    sub = verb(
        "serve", _serve, "lend ports to portpicker's users",
        description="Answer portpicker's port-server protocol: a process number comes in, a port goes out, and is\n"
        "free again when that process has ended.  Programs find the server by PORTSERVER_ADDRESS.\n"
        "With COMMAND: run it with that variable set, and stop when it ends.",
        epilog=EPILOG,
        usage="winsock ports serve [--address ADDRESS] [--pool FIRST-LAST,...] [-- COMMAND [ARGUMENT ...]]",
    )  # fmt: skip
    sub.add_argument("--address", default=DEFAULT_ADDRESS,
                     help=f"path of a socket, or @NAME without a file; default: {DEFAULT_ADDRESS}")  # fmt: skip
    sub.add_argument("--pool", type=pool, default=DEFAULT_POOL, metavar="FIRST-LAST,...",
                     help=f"the ports to lend, default: {DEFAULT_POOL}")  # fmt: skip
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    return top


def _whole(args: argparse.Namespace) -> tuple[int, int]:
    """BLOCK, or FIRST and COUNT: the first port and how many."""
    start, size = args.block
    if args.number is not None:
        if size != 1:
            _wrong(args, "a block and a count")
        size = args.number
        if start + size - 1 > HIGHEST:
            _wrong(args, f"{size} ports from {start} on: the last one there is is {HIGHEST}")
    return start, size


def _wrong(args: argparse.Namespace, text: str) -> NoReturn:
    print(f"winsock ports {args.name}: {text}; see winsock ports {args.name} --help", file=sys.stderr)
    raise SystemExit(WRONG_COMMAND_LINE)


def _command(args: argparse.Namespace) -> list[str]:
    command: list[str] = args.command
    return command[1:] if command[:1] == ["--"] else command


# -- the verbs ------------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    from winsock.cli import _ports_show

    return _ports_show.listing(args.protocol, args.format)


def _explain(args: argparse.Namespace) -> int:
    from winsock.cli import _ports_show

    protocols = (args.protocol,) if args.protocol else PROTOCOLS
    return _ports_show.explanation(args.port, protocols, args.host, args.format, args.lang)


def _lookup(args: argparse.Namespace) -> int:
    from winsock.ports import persistent

    print(persistent.lookup(*_whole(args), args.protocol))
    return 0


def _delete(args: argparse.Namespace) -> int:
    from winsock.ports import persistent

    persistent.delete(*_whole(args), args.protocol)
    return 0


def _apply(args: argparse.Namespace) -> int:
    from winsock.ports import persistent

    if not persistent.apply():
        print("winsock ports apply: net.ipv4.ip_local_reserved_ports may not be written here", file=sys.stderr)
        return REFUSED
    return 0


def _reserve(args: argparse.Namespace) -> int:
    if args.block is not None and args.count is not None:
        _wrong(args, "a block and --count")
    if not args.persistent:
        return _hold(Range(None, args.count or 1) if args.block is None else Range(*_whole(args)), args)
    if args.block is None:
        _wrong(args, "a persistent reservation needs a block")
    if args.pid is not None:
        _wrong(args, "a persistent reservation does not end with a process")
    from winsock.ports import persistent

    print(persistent.create(*_whole(args), args.protocol))
    return 0


def _hold(wanted: Range, args: argparse.Namespace) -> int:
    """Keep a block until somebody ends us, or until another process has ended."""
    import select
    import signal

    from winsock.cli._ports_run import SignalFd
    from winsock.ports import reserve

    stop = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    with ExitStack() as stack:
        stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, signal.pthread_sigmask(signal.SIG_BLOCK, stop))
        stack.callback(lambda: [None for _ in iter(lambda: signal.sigtimedwait(stop, 0), None)])  # it is heeded
        poll = select.poll()
        poll.register(stack.enter_context(SignalFd(stop)), select.POLLIN)
        if args.pid is not None:
            try:
                handle = os.pidfd_open(args.pid)
            except OSError as error:
                print(f"winsock ports reserve: process {args.pid}: {error.strerror}", file=sys.stderr)
                return REFUSED
            stack.callback(os.close, handle)
            poll.register(handle, select.POLLIN)
        held = stack.enter_context(reserve(wanted.size, args.protocol, start=wanted.start))
        print(*held.ports, flush=True)
        poll.poll()
        return 0


def _reserved(args: argparse.Namespace, stack: ExitStack) -> dict[str, Block]:
    """The blocks that `run` gives to its command, by protocol."""
    from winsock.cli._ports_run import same_numbers
    from winsock.ports import reserve

    if args.both is not None:
        if args.tcp is not None or args.udp is not None:
            _wrong(args, "--both besides --tcp or --udp")
        return {b.protocol: stack.enter_context(b) for b in same_numbers(args.both.start, args.both.size)}
    wanted: Iterable[tuple[str, Range | None]] = (("tcp", args.tcp), ("udp", args.udp))
    if args.tcp is None and args.udp is None:
        wanted = (("tcp", Range(None, 1)),)
    return {
        protocol: stack.enter_context(reserve(given.size, protocol, start=given.start))
        for protocol, given in wanted
        if given is not None
    }


def _run(args: argparse.Namespace) -> int:
    command = _command(args)
    if not command:
        _wrong(args, "no command given")
    if args.no_trap and args.no_sockets:
        _wrong(args, "--no-trap and --no-sockets together leave the command no way to its ports")
    from winsock.cli import _ports_run

    options = _ports_run.Options(args.host, not args.no_sockets, args.listen, not args.no_trap, tuple(args.set))
    with ExitStack() as stack:
        blocks = _reserved(args, stack)
        names = {f"{protocol}{n}" for protocol, b in blocks.items() for n in range(1, len(b) + 1)}
        for name, value in args.set:
            if value not in names:
                _wrong(args, f"--set {name}={value}: there is no {value}")
        return _ports_run.run(command, blocks, options)


def _serve(args: argparse.Namespace) -> int:
    from winsock.cli import _ports_serve

    ports = pool(args.pool) if isinstance(args.pool, str) else args.pool
    return _ports_serve.serve(args.address, ports, _command(args))
