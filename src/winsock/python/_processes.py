"""Processes that a program starts with this very interpreter: they see what the program sees.

A reloader, a test runner's workers, a script beside the program: all are [sys.executable, ...], and on Windows they
are on Windows.  So their command lines get `winsock run` in the middle.  Other programs are none of this module's
affair.

And what programs for Windows hand to subprocess and os.kill: creation flags, STARTUPINFO, Ctrl-C and Ctrl-Break.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

from winsock.python._socket_parts import settings

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Not -m winsock: what lies in the current directory is not to be taken for a module that winsock imports.
BOOT = (
    "import sys; sys.flags.safe_path or sys.path.__setitem__(0, sys.path[1]); "
    f"{_ROOT!r} in sys.path or sys.path.append({_ROOT!r}); "
    "from winsock.cli import main; status = main(); status and sys.exit(status)"
)
FLAGS = frozenset("bBdEiIOPqRsStuv")  # of the interpreter, with no value
WITH_VALUE = frozenset("WX")
# They install and describe this machine's Python.
TOOLS = frozenset({"ensurepip", "pip", "venv", "virtualenv", "winsock"})


def under_run(args: Sequence[Any], options: Sequence[str], piped: bool = False) -> list[Any] | None:
    """A command line of the interpreter with `winsock run` in it; None for one that runs no program.

    args       all of it, the interpreter's name first
    options    of `winsock run`
    piped      whether a program comes from standard input if there is no other
    """
    words = [os.fsdecode(arg) for arg in args]
    ours = ["-c", BOOT, "run", "--quiet", *options]
    at = 1
    while at < len(words):
        word = words[at]
        if word == "-" or not word.startswith("-"):
            if _is_tool(word):
                return None
            return [*args[:at], *ours, *(["--"] if word != "-" else []), *args[at:]]
        if word == "--check-hash-based-pycs":
            at += 2
            continue
        for place, letter in enumerate(word[1:], 1):
            if letter in "cm":
                value = word[place + 1 :] or (words[at + 1] if at + 1 < len(words) else "")
                if value == BOOT or (letter == "m" and value.partition(".")[0] in TOOLS):
                    return None
                before = [word[:place]] if place > 1 else []
                return [*args[:at], *before, *ours, "-" + word[place:], *args[at + 1 :]]
            if letter in WITH_VALUE:
                at += place == len(word) - 1
                break
            if letter not in FLAGS:
                return None
            piped = piped and letter != "i"
        at += 1
    return [*args, *ours, "-"] if piped else None


def _is_tool(path: str) -> bool:
    return not TOOLS.isdisjoint(path.split(os.sep))


def command(program: Any, args: Any, piped: bool = False) -> Any:
    """What to run in place of these arguments of the program's; the same where they are not for this interpreter."""
    options = settings.options
    if options is None or not isinstance(args, (list, tuple)) or not args:
        return args
    try:
        if os.fsdecode(program) != sys.executable:
            return args
        return under_run(args, options, piped) or args
    except TypeError:
        return args  # who is to run it will tell


# -- os


def execv(path: Any, args: Any, /) -> Any:
    """execv(path, args): this process runs another program from now on."""
    return os.execv(path, command(path, args))


def execve(path: Any, args: Any, env: Any) -> Any:
    """execve(path, args, env): likewise, with these environment variables."""
    return os.execve(path, command(path, args), env)


def execvp(file: Any, args: Any) -> Any:
    """execvp(file, args): likewise, the file being looked for on PATH."""
    return os.execvp(file, command(file, args))


def execvpe(file: Any, args: Any, env: Any) -> Any:
    """execvpe(file, args, env): likewise, with these environment variables."""
    return os.execvpe(file, command(file, args), env)


def execl(file: Any, *args: Any) -> Any:
    """execl(file, *args): execv with the arguments one by one."""
    return execv(file, args)


def execlp(file: Any, *args: Any) -> Any:
    """execlp(file, *args): execvp with the arguments one by one."""
    return execvp(file, args)


def execle(file: Any, *args: Any) -> Any:
    """execle(file, *args, env): execve with the arguments one by one."""
    return execve(file, args[:-1], args[-1])


def execlpe(file: Any, *args: Any) -> Any:
    """execlpe(file, *args, env): execvpe with the arguments one by one."""
    return execvpe(file, args[:-1], args[-1])


def kill(pid: int, sig: int, /) -> None:
    """kill(pid, signal): also signal.CTRL_C_EVENT and signal.CTRL_BREAK_EVENT, which the console sends.

    They reach the process, or all of its group if it leads one; this process too, as it is at the same console, if
    the other has no group of its own.
    """
    name = sig._name_ if isinstance(sig, signal.Signals) else ""
    if name not in ("CTRL_C_EVENT", "CTRL_BREAK_EVENT"):
        os.kill(pid, sig)
        return
    if os.getpgid(pid) == pid != os.getpgid(0):
        if name == "CTRL_BREAK_EVENT":  # a group of one's own does not hear of Ctrl-C
            os.killpg(pid, _break_for(pid))
        return
    for reached in {pid, os.getpid()}:
        os.kill(reached, signal.SIGINT if name == "CTRL_C_EVENT" else _break_for(reached))


SIGBREAK = 21


def _break_for(pid: int) -> int:
    """What Ctrl-Break is for a process: SIGBREAK if it has a handler, else the end."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            caught = next(line for line in file if line.startswith("SigCgt:"))
    except (OSError, StopIteration):
        return signal.SIGTERM
    return SIGBREAK if int(caught.split()[1], 16) >> SIGBREAK - 1 & 1 else signal.SIGTERM


OS_NAMES: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (execl, execle, execlp, execlpe, execv, execve, execvp, execvpe, kill)
}


# -- subprocess

CREATE_NEW_PROCESS_GROUP = 1 << 9
OWN_CONSOLE = 1 << 4 | 1 << 3  # CREATE_NEW_CONSOLE, DETACHED_PROCESS
CONSTANTS = {
    "CREATE_NEW_PROCESS_GROUP": CREATE_NEW_PROCESS_GROUP,
    "CREATE_NEW_CONSOLE": 1 << 4,
    "DETACHED_PROCESS": 1 << 3,
    "CREATE_NO_WINDOW": 1 << 27,
    "CREATE_DEFAULT_ERROR_MODE": 1 << 26,
    "CREATE_BREAKAWAY_FROM_JOB": 1 << 24,
    "NORMAL_PRIORITY_CLASS": 1 << 5,
    "IDLE_PRIORITY_CLASS": 1 << 6,
    "HIGH_PRIORITY_CLASS": 1 << 7,
    "REALTIME_PRIORITY_CLASS": 1 << 8,
    "BELOW_NORMAL_PRIORITY_CLASS": 1 << 14,
    "ABOVE_NORMAL_PRIORITY_CLASS": 1 << 15,
    "STD_INPUT_HANDLE": -10,
    "STD_OUTPUT_HANDLE": -11,
    "STD_ERROR_HANDLE": -12,
    "STARTF_USESHOWWINDOW": 1,
    "STARTF_USESTDHANDLES": 1 << 8,
    "SW_HIDE": 0,
}


class STARTUPINFO:
    """Which handles a child is to have, and how its window is to look, which has no effect here."""

    def __init__(
        self,
        *,
        dwFlags: int = 0,
        hStdInput: Any = None,
        hStdOutput: Any = None,
        hStdError: Any = None,
        wShowWindow: int = 0,
        lpAttributeList: Any = None,
    ) -> None:
        self.dwFlags = dwFlags
        self.hStdInput, self.hStdOutput, self.hStdError = hStdInput, hStdOutput, hStdError
        self.wShowWindow = wShowWindow
        self.lpAttributeList = lpAttributeList or {"handle_list": []}

    def copy(self) -> STARTUPINFO:
        """Another one of the same content."""
        new = STARTUPINFO()
        attributes = dict(self.lpAttributeList)
        if "handle_list" in attributes:
            attributes["handle_list"] = list(attributes["handle_list"])
        vars(new).update(vars(self), lpAttributeList=attributes)
        return new


STARTUPINFO.__module__ = "subprocess"


def extend(module: ModuleType) -> None:
    """Let the module `subprocess` take what Windows' takes, and start this interpreter under `winsock run`."""
    names = {**CONSTANTS, "STARTUPINFO": STARTUPINFO}
    vars(module).update(names)
    vars(module)["__all__"].extend(names)
    popen: Any = module.Popen
    begin, send = popen.__init__, popen.send_signal

    @wraps(begin)
    def __init__(self: Any, args: Any, *more: Any, **named: Any) -> None:
        flags = named.pop("creationflags", 0)
        info = named.pop("startupinfo", None)
        if handles := (getattr(info, "lpAttributeList", None) or {}).get("handle_list"):
            named["pass_fds"] = {*named.get("pass_fds", ()), *handles}
        if flags & OWN_CONSOLE:
            named.setdefault("start_new_session", True)
        elif flags & CREATE_NEW_PROCESS_GROUP:
            named.setdefault("process_group", 0)
        run = args
        if len(more) < 2 and not named.get("shell") and isinstance(args, (list, tuple)) and args:
            run = command(named.get("executable") or args[0], args, named.get("stdin") is not None)
        try:
            begin(self, run, *more, **named)
        except BaseException as e:
            e.__traceback__ = e.__traceback__ and e.__traceback__.tb_next
            raise
        finally:
            self.args = args

    @wraps(send)
    def send_signal(self: Any, sig: int) -> None:
        if isinstance(sig, signal.Signals) and sig._name_.startswith("CTRL_"):
            self.poll()
            if self.returncode is None:
                kill(self.pid, sig)
            return
        send(self, sig)

    popen.__init__, popen.send_signal = __init__, send_signal
