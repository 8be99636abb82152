"""The `winsock` command: one module a verb, imported when the verb is used.

A verb's module has `main(argv: list[str]) -> int`: the arguments after the verb, and the exit status (0 done,
1 the answer is no or the work failed, 2 the command line was wrong).  Verbs parse with argparse and call
themselves `winsock VERB` in their messages.  Output that cannot be written is no concern of theirs: see _output.
"""

from __future__ import annotations

import sys

from winsock.cli._output import guarded

# verb: (module, what it does in one line), in the order of the help
VERBS: dict[str, tuple[str, str]] = {
    "run": ("winsock.cli._run", "run a Python program with Windows' socket behaviour"),
    "explain": ("winsock.cli._explain", "say what an error code means and what to do about it"),
    "codes": ("winsock.cli._codes", "list all error codes"),
    "annotate": ("winsock.cli._annotate", "find socket errors in logs and say what each means"),
    "probe": ("winsock.cli._probe", "try calls of the C-shaped API and see what they return"),
    "demo": ("winsock.cli._demo", "run real problems that people had on Windows, with their cures"),
    "ports": ("winsock.cli._ports", "reserve ports that nobody else can take, see who has which"),
    "doctor": ("winsock.cli._doctor", "show what this machine offers and how faithful each part is"),
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status.

    argv    without the program's name; sys.argv's by default
    """
    if argv is None:
        argv = sys.argv[1:]
    verb = argv[0] if argv and argv[0] in VERBS else ""
    if verb == "run":  # the output is the program's
        return _main(argv)
    return guarded(verb, lambda: _main(argv))


def _main(argv: list[str]) -> int:
    if not argv:
        print(usage(), file=sys.stderr)
        return 2
    verb, *rest = argv
    if verb in ("-h", "--help", "help"):
        if rest and rest[0] in VERBS:
            verb, rest = rest[0], ["--help"]
        else:
            print(usage())
            return 0
    if verb in ("-V", "--version"):
        from winsock._version import __version__

        print(f"winsock {__version__}")
        return 0
    if verb not in VERBS:
        print(f"winsock: no command {verb!r}{_hint(argv)}; see winsock --help", file=sys.stderr)
        return 2
    from importlib import import_module

    status: int = import_module(VERBS[verb][0]).main(rest)
    return status


def usage() -> str:
    """The text of `winsock --help`."""
    lines = [
        "usage: winsock COMMAND ...",
        "",
        "Windows Sockets 2 on Linux: run programs with Windows' socket behaviour,",
        "see every error they can meet, know what each means.",
        "",
        "commands:",
    ]
    lines += [f"  {verb:9} {help_line}" for verb, (_, help_line) in VERBS.items()]
    lines += ["", "winsock COMMAND --help tells more about it, winsock --version the version."]
    return "\n".join(lines)


def _hint(argv: list[str]) -> str:
    from difflib import get_close_matches

    from winsock.codes import lookup

    if close := get_close_matches(argv[0], VERBS, 1):
        return f" (did you mean {close[0]}?)"
    if lookup(argv[0]) is not None:
        return f" (did you mean: winsock explain {argv[0]}?)"
    if argv[0].endswith(".py"):
        return f" (did you mean: winsock run {argv[0]}?)"
    return ""
