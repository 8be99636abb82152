"""winsock run is python, but for the sockets."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from winsock.cli._run import main
from winsock.codes import languages, message
from winsock.python import _runner

FAILS = """\
import socket


def outer():
    inner()


def inner():
    socket.socket().connect(nobody.getsockname())


nobody = socket.socket()
nobody.bind(("127.0.0.1", 0))
outer()
"""


@pytest.fixture
def script(tmp_path: Path):
    def write(text: str, name: str = "program.py") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


@pytest.mark.parametrize(
    "text",
    [
        "",
        "raise SystemExit",
        "raise SystemExit(3)",
        "import sys; sys.exit('a message')",
        "1 / 0",
        "raise SystemExit(256 + 7)",
        "import os; os._exit(9)",
        "def",
        "import no_such_module",
        "raise ExceptionGroup('two', [ValueError(1), KeyError(2)])",
        "import threading; threading.Thread(target=lambda: 1 / 0).start()",
        "import atexit, sys; atexit.register(lambda: print('end')); sys.exit(4)",
        "import sys; sys.excepthook = lambda *a: print('hook', a[0].__name__, a[2].tb_lineno); 1 / 0",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(30)",
        "raise KeyboardInterrupt",
        "print(__name__, __file__, __spec__, __package__, __doc__, sorted(globals()))",
        "x: int = 1; print(__annotations__)",
        "'''text'''\nimport sys; print(sys.argv, __doc__, sys.modules['__main__'].__dict__ is globals())",
        "import sys, os; print(os.path.samefile(sys.path[0], os.getcwd()))",
        "import warnings; warnings.warn('careful')",
        "assert False, 'no'",
    ],
)
def test_a_script_ends_as_under_python(run, script, text: str) -> None:
    name = script(text)
    here, there = run(name, "a", "-b", "--lang=x"), run(name, "a", "-b", "--lang=x", plain=True)
    assert (here.returncode, here.stdout, here.stderr) == (there.returncode, there.stdout, there.stderr)


@pytest.mark.parametrize(
    "args",
    [
        ("-c", "import sys; print(sys.argv, sys.path[0] == '', __name__)", "x", "-y"),
        ("-c", "1 / 0"),
        ("-cprint(5)",),
        ("-m", "package", "x", "-c", "y"),
        ("-m", "package.module", "x"),
        ("-m", "package.broken"),
        ("-m", "no_such_module"),
        ("-m", "json.tool", "--help"),
        ("no_such_file.py",),
        ("package", "x"),
        ("-", "x"),
    ],
)
def test_other_ways_to_name_a_program(run, script, tmp_path: Path, args: tuple[str, ...]) -> None:
    (tmp_path / "package").mkdir()
    script("import sys; print(sys.argv, __name__, __package__, __spec__ and __spec__.name)", "package/__main__.py")
    script("", "package/__init__.py")
    script("import sys; print(sys.argv[1:], __name__, __package__)", "package/module.py")
    script("def f():\n    1 / 0\nf()", "package/broken.py")
    text = "import sys; print(sys.argv, sys.path[0] == '')"
    here, there = run(*args, input=text), run(*args, plain=True, input=text)
    assert here.returncode == there.returncode
    assert here.stdout == there.stdout
    # python -m names itself in the traceback in the same way; only the launcher's own frames are not to be seen
    assert here.stderr.replace(" -m winsock run", "") == there.stderr


def test_tracebacks_end_and_begin_in_the_program(run, script, tmp_path: Path) -> None:
    done = run(script(FAILS))
    assert done.returncode == 1
    assert "winsock" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("  File")]
    assert [line.rsplit(" ", 1)[1] for line in lines] == ["<module>", "outer", "inner"]
    assert done.stderr.splitlines()[-1].startswith("ConnectionRefusedError: [WinError 10061] ")


def test_the_same_error_without_winsock_has_linux_number(run, script) -> None:
    assert "[Errno 111]" in run(script(FAILS), plain=True).stderr


def test_printed_tracebacks_show_no_frames_of_ours(program) -> None:
    out = program("""
        import sys, traceback, socket, select
        def tries():
            yield lambda: socket.socket().recv(1)
            yield lambda: socket.socket().sendall(b"x")
            yield lambda: socket.socket().bind("x")
            yield lambda: socket.socket().getsockopt(1, 2, -1)
            yield lambda: select.select([0], [], [])
            yield lambda: socket.getaddrinfo("x.invalid", 1)
            yield lambda: __import__("no_such_module")
        for attempt in tries():
            try:
                attempt()
            except Exception:
                traceback.print_exc(file=sys.stdout)
            else:
                print("nothing happened")
    """)
    assert out.count("Traceback") == 7
    assert "winsock" not in out
    assert "nothing happened" not in out


def begun(cwd: Path, *args: str) -> tuple[subprocess.Popen[str], str]:
    """A program under way that Ctrl+C ends, whatever this process does with it; the first line that it wrote."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "winsock", "run", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def test_ctrl_c_ends_a_blocking_call(script, tmp_path: Path) -> None:
    name = script("""\
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
try:
    print("ready", flush=True)
    s.accept()
finally:
    print("left", flush=True)
""")
    process, line = begun(tmp_path, name)
    assert line == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out == "left\n"
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert "winsock" not in err


def test_pdb(run, script) -> None:
    name = script("import sys, socket\nx = sys.platform\nprint(x, socket.AF_INET6)\n")
    commands = "next\nnext\np x\ncontinue\nquit\n"
    done = run("-m", "pdb", name, input=commands)
    assert done.returncode == 0
    assert "'win32'" in done.stdout
    assert "win32 23" in done.stdout


def test_post_mortem_debugging_sees_the_program_only(run, script) -> None:
    name = script(FAILS)
    done = run("-m", "pdb", "-c", "continue", name, input="where\nquit\n")
    assert "WinError 10061" in done.stderr
    assert "/winsock/python/" not in done.stdout


def test_unittest_and_mock_work(run, script) -> None:
    script(
        """\
import builtins, socket, sys, unittest
from unittest import mock

class Tests(unittest.TestCase):
    def test_platform(self):
        self.assertEqual(sys.platform, "win32")

    def test_builtins_can_be_patched(self):
        with mock.patch("builtins.open", side_effect=KeyError):
            self.assertRaises(KeyError, open, "x")
        with mock.patch("builtins.print") as p:
            print("x")
        p.assert_called_once_with("x")

    def test_sockets_can_be_patched(self):
        with mock.patch("socket.socket.connect", return_value=None), socket.socket() as s:
            s.connect(("x", 1))

    def test_sys_can_be_patched(self):
        with mock.patch("sys.stdout") as out:
            print("x")
        out.write.assert_called()
""",
        "test_it.py",
    )
    done = run("-m", "unittest", "test_it")
    assert done.returncode == 0, done.stderr


def test_pytest_works_and_its_tests_see_windows(run, script) -> None:
    text = "import sys, errno\ndef test_it():\n    assert (sys.platform, errno.EWOULDBLOCK) == ('win32', 10035)\n"
    script(text, "test_it.py")
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", PYTHONWARNINGS="default")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "argv",
    [[], ["--lang"], ["--lang", "xx", "p.py"], ["--timing=slow", "p.py"], ["--what"], ["-c"], ["-m"]],
)
def test_wrong_command_lines(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith("winsock run: ")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "usage: winsock run" in capsys.readouterr().out


def test_language(run) -> None:
    code = "import socket; s = socket.socket(); s.close()\ntry: s.recv(1)\nexcept OSError as e: print(e)"
    for language in languages():
        assert run("--lang", language, "-c", code).stdout == f"[WinError 10038] {message(10038, language)}\n"


def test_timing_of_a_silent_peer(run) -> None:
    """Both ends of a connection give up after Windows' time: what the kernel was told of it."""
    code = """
import ctypes, socket
def patience(sock):
    value, size = ctypes.c_int(), ctypes.c_uint(4)
    assert not ctypes.CDLL(None).getsockopt(sock.fileno(), 6, 18, ctypes.byref(value), ctypes.byref(size))
    return value.value
listener = socket.create_server(("127.0.0.1", 0))
here = socket.create_connection(listener.getsockname())
there, _ = listener.accept()
print(patience(here), patience(there), here.getsockopt(socket.IPPROTO_TCP, 5))
"""
    assert run("--timing", "windows", "-c", code).stdout == "20000 20000 -1\n"
    assert run("-c", code).stdout == "0 0 -1\n"


def test_timing_of_a_refused_connect(run) -> None:
    code = """
import socket, time
nobody = socket.socket()
nobody.bind(("127.0.0.1", 0))
for timeout in (None, 0.3):
    s = socket.socket()
    s.settimeout(timeout)
    start = time.monotonic()
    try:
        s.connect(nobody.getsockname())
    except OSError as e:
        print(type(e).__name__, e.winerror, round(time.monotonic() - start, 1))
    s.close()
"""
    slow = run("--timing", "windows", "-c", code).stdout.split()
    assert slow[:2] == ["ConnectionRefusedError", "10061"]
    assert float(slow[2]) >= 2.0
    assert slow[3:5] == ["TimeoutError", "None"]
    quick = run("-c", code).stdout.split()
    assert float(quick[2]) < float(slow[2])
    assert quick[3:5] == ["ConnectionRefusedError", "10061"]


def test_no_descriptor_is_left_behind(run) -> None:
    code = """
import os, socket, gc, warnings
warnings.simplefilter("ignore")
def count(): return len(os.listdir("/proc/self/fd"))
def use():
    a, b = socket.socketpair()
    a.send(b"x"); b.recv(1)
    c = a.dup()
    a.close(); b.close(); c.close()
    socket.socket().close()
    socket.socket()                      # dropped, not closed
    u = socket.socket(type=socket.SOCK_DGRAM)
    fd = u.detach()
    socket.close(fd)
use(); gc.collect()
before = count()
for _ in range(20): use()
gc.collect()
print(count() - before)
"""
    assert run("-c", code, PYTHONWARNINGS="ignore").stdout == "0\n"


def test_environment_variable_keeps_our_frames(run, script) -> None:
    assert "winsock" in run(script(FAILS), WINSOCK_DEBUG="1").stderr


def test_a_closed_pipe_for_output(tmp_path: Path) -> None:
    """The reader of our output goes away: the same end as under python."""
    results = []
    for under in ([], ["-m", "winsock", "run"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, *under, "-c", "print('x' * 100000)"], stdout=write, stderr=subprocess.PIPE, check=False
        )
        os.close(write)
        results.append((done.returncode, done.stderr.splitlines()[-1]))
    assert results[0] == results[1]


ASYNCIO = """\
import asyncio
async def main():
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    print("ready", flush=True)
    try:
        await server.serve_forever()
    finally:
        print("left", flush=True)
asyncio.run(main())
"""


def test_ctrl_c_ends_an_event_loop(script, tmp_path: Path) -> None:
    process, line = begun(tmp_path, script(ASYNCIO))
    assert line == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out == "left\n"
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1].startswith("KeyboardInterrupt")


def test_http_server_module_serves_and_stops(tmp_path: Path) -> None:
    import urllib.request

    (tmp_path / "page.txt").write_text("hello")
    process, line = begun(tmp_path, "-m", "http.server", "0", "--bind", "127.0.0.1")
    address = line.split("(")[1].split(")")[0]
    with urllib.request.urlopen(f"{address}page.txt") as answer:
        assert answer.read() == b"hello"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert "Keyboard interrupt received" in out
    assert process.returncode == 0


def test_what_tls_raises_comes_from_the_programs_own_frames(program) -> None:
    out = program("""
        import socket, ssl, traceback
        a, b = socket.socketpair()
        b.sendall(b"this is not TLS, and long enough for a record's head")
        try:
            ssl.create_default_context().wrap_socket(a, server_hostname="name")
        except ssl.SSLError as e:
            files = [frame.filename.rpartition("/")[2] for frame in traceback.extract_tb(e.__traceback__)]
            print(files[0], set(files[1:]), e.__cause__, e.__context__)
    """)
    assert out == "program.py {'ssl.py'} None None\n"


def test_nothing_is_loaded_that_takes_long_and_is_not_needed(run) -> None:
    heavy = "{'ast', 'asyncio', 'dataclasses', 'inspect', 'json', 'sqlite3', 'subprocess', 'tempfile', 'uuid'}"
    ask = f"import sys; print(*sorted({heavy} & set(sys.modules)))"
    needed = "import ctypes, logging, platform, ssl, sysconfig, threading, typing\n"
    needed += "class Row(typing.NamedTuple): a: int\n"
    assert run("-c", ask).stdout == run("-c", needed + ask, plain=True).stdout


def test_the_collector_sees_the_programs_objects_as_under_python(run) -> None:
    ask = "import gc; print(gc.isenabled(), gc.get_threshold(), len(gc.garbage)); print(len(gc.get_objects()))"
    here, there = (run("-c", ask, plain=plain).stdout.splitlines() for plain in (False, True))
    assert here[0] == there[0]
    assert int(here[1]) <= int(there[1])  # ours are more than twice as many


@pytest.mark.skipif(not hasattr(ctypes, "_reset_cache"), reason="this Python has no cache of pointer types")
def test_a_program_may_empty_ctypes_cache_as_cpythons_test_runner_does(program) -> None:
    out = program("""
        import ctypes, socket
        from winsock.transports.host._interfaces import interfaces
        def listen():
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", 0))
                s.listen()
        listen()
        before = interfaces()
        ctypes._reset_cache()
        listen()
        print(interfaces() == before, len(before) > 0)
    """)
    assert out == "True True\n"


@pytest.mark.parametrize(
    "source",
    [b"x = 1\n'\xe4'\n", b"'\xfc'", b"# coding: latin-1\nprint(ascii('\xe4'))\n", b"print('\xc3\xa4')"],
    ids=["second line", "first line", "declared", "UTF-8"],
)
def test_scripts_in_other_encodings(run, tmp_path, source: bytes) -> None:
    (tmp_path / "script.py").write_bytes(source)
    path = str(tmp_path / "script.py")  # python names the script as it was called
    here, there = run(path), run(path, plain=True)
    assert (here.returncode, here.stdout) == (there.returncode, there.stdout)
    if sys.version_info >= (3, 14) and there.stderr:  # where it shows the place, which is the first line's always
        said = "SyntaxError: Non-UTF-8 code starting with"
        assert here.stderr.splitlines()[-1][: len(said)] == there.stderr.splitlines()[-1][: len(said)] == said
    else:
        assert here.stderr == there.stderr


def test_the_commands_own_main_lives_on(run, script) -> None:
    """The interpreter looks into its dictionary when the command has ended with an exception, and crashed at that."""
    counts = """\
import gc, types
gc.unfreeze()
print(sum(isinstance(o, types.ModuleType) and o.__name__ == "__main__" for o in gc.get_objects()))
"""
    assert run(script(counts)).stdout == "2\n"


def test_a_traceback_ends_in_the_program_wherever_a_signal_has_hit() -> None:
    """Also in one of winsock's functions before it could see to that."""
    ours: dict[str, Any] = {}
    source = "def lead(program): program()\ndef inside(): raise KeyboardInterrupt\n"
    exec(compile(source, os.path.join(os.path.dirname(_runner.__file__), "made_up.py"), "exec"), ours)

    def program() -> None:
        ours["inside"]()

    with pytest.raises(KeyboardInterrupt) as caught:
        ours["lead"](program)
    names = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert names[-3:] == ["lead", "program", "inside"]
    assert [frame.name for frame in traceback.extract_tb(_runner.strip(caught.tb))] == ["program"]
