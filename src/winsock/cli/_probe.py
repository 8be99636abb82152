"""winsock probe 'CALL' ...: try calls of the C-shaped API and see what they return."""

from __future__ import annotations

import argparse
import ast
import difflib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from winsock.cli._probe_names import BadInput, Function, Names, described

DESCRIPTION = """\
Try calls of the C-shaped API, one after the other in one fresh Windows process, and see what each returns: the
value, the last error with its name and meaning, and what was written to buffers.
"""
EPILOG = """\
A CALL is written as in C, in Python's spelling; variables keep results for later calls:

  winsock probe 'socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)'
  winsock probe 's = socket(AF_INET, SOCK_DGRAM, 0)' 'recvfrom(s, buf(10), 10, 0, None, None)'
  winsock probe 'b = sin("127.0.0.1", 0)' 's = socket(AF_INET, SOCK_STREAM, 0)' 'bind(s, b, 16)' 'listen(s, 5)' \\
                'accept(s, None, None) &' 'closesocket(s)'

A trailing & lets a call that waits go on while the next ones are made.  A CALL of - reads calls from standard input.

functions    everything that ws2_32, mswsock, iphlpapi, kernel32, user32 and ntdll have here (--list)
constants    by name: AF_INET, SO_REUSEADDR, FIONBIO, WSAECONNRESET, NULL ...
memory       buf(n) or buf(b"data"); i32(v), u32(v), u64(v): numbers to be written to
addresses    sin("127.0.0.1", 80), sin6("::1", 80); name(b): what an address in a buffer says
sets         fd_set(s, ...), timeval(seconds), pollfd(s, events, ...), linger(on, seconds)

WSAStartup(2.2) has been called, but with --no-startup.  The last error is 0 before each call.
"""
STILL_WAITING, WRONG_INPUT = 1, 2
BACKGROUND = 0.2  # seconds that a call with & gets to begin

# What an expression may be made of: no attributes, no definitions, no comprehensions, no powers.
_ALLOWED = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List, ast.Starred, ast.Subscript,
    ast.Slice, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.BitOr, ast.BitAnd, ast.BitXor,
    ast.UnaryOp, ast.Invert, ast.USub, ast.UAdd, ast.Not, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt,
    ast.GtE, ast.IfExp, ast.BoolOp, ast.And, ast.Or,
)  # fmt: skip


def main(argv: list[str]) -> int:
    """The verb; 0 when every call returned, 1 when one still waits, 2 when a CALL makes no sense."""
    parser = argparse.ArgumentParser(
        prog="winsock probe",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("call", nargs="*", metavar="CALL")
    parser.add_argument("--no-startup", action="store_true", help="leave WSAStartup to the calls")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="seconds to wait for a call (5)")
    parser.add_argument("--lang", default="en", help="language of the meanings")
    parser.add_argument("--list", nargs="?", const="", metavar="PART", help="list functions and constants with PART")
    args = parser.parse_args(argv)
    try:
        names = Names(args.lang)
    except ValueError as e:  # an unknown language
        parser.error(str(e))
    if args.list is not None:
        print(*names.matching(args.list), sep="\n")
        return 0
    if not args.call:
        parser.error("which call?")
    return Probe(names, args.timeout).run(_lines(args.call), startup=not args.no_startup)


def _lines(calls: list[str]) -> Iterator[str]:
    for call in calls:
        yield from (line for line in sys.stdin if not line.lstrip().startswith("#")) if call == "-" else [call]


class Probe:
    """One session: the calls, one after the other, and those in the background."""

    def __init__(self, names: Names, timeout: float) -> None:
        self.names, self.timeout = names, timeout
        self.background: list[tuple[str, Any]] = []
        self.status = 0

    def run(self, lines: Iterable[str], startup: bool) -> int:
        """Make the calls; the exit status."""
        if startup:
            self.names.start()
        try:
            for line in lines:
                text = line.strip().rstrip(";")
                if text:
                    self._statement(text)
        except BadInput as e:
            sys.stdout.flush()
            print(f"winsock probe: {e}", file=sys.stderr)
            return WRONG_INPUT
        self._finished(self.timeout)
        for text, _ in self.background:
            self._show(text, ["still waits"])
            self.status = STILL_WAITING
        return self.status

    def _statement(self, text: str) -> None:
        waits = text.endswith("&")
        text = text.removesuffix("&").strip()
        target, expression = parse(text, self.names)
        work = self.names.thread().start(expression)
        if not work.wait(BACKGROUND if waits else self.timeout):
            self._show(text, ["waits" if waits else f"still waits after {self.timeout:g} s; going on without it"])
            self.background.append((text, work))
            if not waits:
                self.status = STILL_WAITING
        else:
            self._report(text, work, target)
        self._finished(BACKGROUND if self.background else 0)

    def _finished(self, patience: float) -> None:
        """Report the calls in the background that have come back."""
        for entry in list(self.background):
            text, work = entry
            if work.wait(patience):
                self.background.remove(entry)
                self._report(text, work, None)

    def _report(self, text: str, work: Any, target: str | None) -> None:
        if isinstance(work.error, BadInput):
            raise work.error
        if work.error is not None:
            raise BadInput(f"{text}: {type(work.error).__name__}: {work.error}")
        lines = [line for call in work.calls for line in call.lines(self.names, len(work.calls) > 1)]
        value = work.value
        if not work.calls and target is None:
            lines.append(described(value))
        self._show(text, lines)
        if target is not None:
            self.names[target] = value

    def _show(self, text: str, lines: list[str]) -> None:
        print(text)
        for line in lines:
            print(f"  {line}")
        sys.stdout.flush()


def parse(text: str, names: Names) -> tuple[str | None, Any]:
    """(variable or None, code of the expression) of `CALL` or `VARIABLE = CALL`."""
    try:
        body = ast.parse(text, mode="exec").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise BadInput(f"{text!r} is no call: {getattr(e, 'msg', e)}") from None
    target: str | None = None
    match body:
        case [ast.Expr(value=value)]:
            pass
        case [ast.Assign(targets=[ast.Name(id=str(variable))], value=value)]:
            target = variable
            if isinstance(names.get(target), Function):
                raise BadInput(f"{target} is a function; choose another name for the variable")
        case _:
            raise BadInput(f"{text!r} is neither CALL nor VARIABLE = CALL")
    for node in ast.walk(value):
        if not isinstance(node, _ALLOWED):
            if isinstance(node, ast.keyword):
                raise BadInput(f"{text!r}: C's arguments have no names")
            raise BadInput(f"{text!r}: {type(node).__name__} is not for a probe; see winsock probe --help")
        if isinstance(node, ast.Name) and node.id not in names:
            near = difflib.get_close_matches(node.id, names, 3, 0.7)
            raise BadInput(f"unknown name {node.id!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            raise BadInput(f"{text!r}: only functions can be called")
    return target, compile(ast.Expression(value), "<probe>", "eval")
