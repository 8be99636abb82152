"""winsock run: an unmodified program, in this interpreter, with Windows' socket behaviour."""

from __future__ import annotations

import sys

from winsock.cli._output import guarded

USAGE = """\
usage: winsock run [--lang LANG] [--timing windows|none] [--resets windows|none]
                   [--loop proactor|selector] [--quiet] PROGRAM [ARGUMENT ...]

Run a Python program with Windows' socket behaviour and Windows' error codes, in this interpreter.

PROGRAM is one of
  FILE.py          a script (or a directory or zip archive with a __main__.py; - is standard input)
  -m MODULE        a module, as with python -m
  -c CODE          a string, as with python -c

options:
  --lang LANG      language of the errors' texts: en, fr, ja, zh-Hant; default: the locale's
  --timing windows a refused connect takes as long as on Windows (about 2 s), and a silent peer
                   is given up after 20 s; default: none
  --resets windows what came before a connection was reset is lost, as on Windows; default: it can still be read
  --loop LOOP      asyncio's default event loop: proactor, as on Windows, or selector; default: proactor
  -q, --quiet      no hint at `winsock explain` when the program dies of a socket error (nor is there one when
                   standard error is no terminal)
  -h, --help       show this text

Networking code sees Windows (sys.platform, os.name, errno, socket, select ...); the rest of the program does not.
"""

VALUES = {"--timing": ("none", "windows"), "--resets": ("none", "windows"), "--loop": ("proactor", "selector")}
WRONG_COMMAND_LINE = 2


def _complain(text: str) -> int:
    print(f"winsock run: {text}; see winsock run --help", file=sys.stderr)
    return WRONG_COMMAND_LINE


def _language(wanted: str) -> str:
    """The name of a language's texts; of the locale's if none is asked for.  ValueError says which there are."""
    from winsock.codes import locale_language
    from winsock.codes._texts import language

    return language(wanted) if wanted else locale_language()


def _help() -> int:
    print(USAGE, end="")
    return 0


def main(argv: list[str]) -> int:
    """The verb.  The program's exit is the process' exit; what it raises is raised."""
    lang, quiet = "", False
    chosen = {name[2:]: values[0] for name, values in VALUES.items()}
    rest = list(argv)
    while rest:
        arg = rest.pop(0)
        if arg in ("-h", "--help"):
            return guarded("run", _help)
        if arg in ("-q", "--quiet"):
            quiet = True
            continue
        name, equals, value = arg.partition("=")
        if name == "--lang" or name in VALUES:
            if not equals:
                if not rest:
                    return _complain(f"{name} needs a value")
                value = rest.pop(0)
            if name == "--lang":
                try:
                    lang = _language(value)
                except ValueError as e:
                    return _complain(f"--lang: {e}")
            elif value not in VALUES[name]:
                return _complain(f"{name} {value!r} is none of {', '.join(VALUES[name])}")
            else:
                chosen[name[2:]] = value
            continue
        if arg[:2] in ("-m", "-c"):
            kind = "module" if arg[1] == "m" else "code"
            if arg[2:]:
                target = arg[2:]
            elif rest:
                target = rest.pop(0)
            else:
                return _complain(f"argument expected for {arg}")
        elif arg == "--" and rest:
            kind, target = "script", rest.pop(0)
        elif arg.startswith("-") and arg != "-":
            return _complain(f"unknown option {arg}")
        else:
            kind, target = "script", arg
        import gc

        collects = gc.isenabled()
        gc.disable()  # what is made until the program begins stays
        from winsock.python._runner import run

        lang = lang or _language("")
        run(collects, kind, target, rest, lang, chosen["timing"], quiet, chosen["resets"], chosen["loop"])
        return 0
    return _complain("no program given")
