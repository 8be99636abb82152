"""winsock ports run in few words, for tests."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
from textwrap import dedent

GENEROUS = 60
WINSOCK = [sys.executable, "-m", "winsock", "ports", "run"]
IN_USE = errno.EADDRINUSE


def run(*arguments, script=None, **more):
    """Run a command to its end; `script` is Python for `python -c`."""
    command = [sys.executable, "-c", dedent(script)] if script else []
    return subprocess.run([*WINSOCK, *arguments, *command], capture_output=True, text=True, timeout=GENEROUS, **more)


def printed(done):
    """The one JSON value that a script has printed."""
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def bind(port, host="127.0.0.1", kind=socket.SOCK_STREAM, *options):
    """Try to bind in this process: 0 or the errno."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            return error.errno
    return 0
