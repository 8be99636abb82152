"""Who sees Windows, and who doesn't."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from winsock.python._view import imports, is_networking


def test_the_program_sees_windows(program) -> None:
    out = program("""
        import os, sys, errno, select, socket, selectors, signal, platform, importlib
        print(sys.platform, os.name, platform.system(), sys.getwindowsversion().major)
        print(errno.ECONNREFUSED, errno.WSAECONNRESET, errno.EAGAIN, errno.errorcode[10054])
        print([n for n in dir(select) if n[0] != "_"])
        print(selectors.DefaultSelector.__name__, hasattr(selectors, "EpollSelector"))
        print(hasattr(socket, "AF_UNIX"), hasattr(socket.socket, "sendmsg"), hasattr(socket.socket, "ioctl"))
        print(hasattr(os, "fork"), hasattr(signal, "SIGBREAK"), signal.CTRL_C_EVENT)
        print(importlib.import_module("sys").platform, __import__("os").name)
        print(WindowsError is OSError, 10054 in socket.errorTab)
        def later():
            from sys import platform as p
            import os.path
            return p, os.name, os.path.sep
        print(later())
    """)
    assert out.splitlines() == [
        "win32 nt Windows 10",
        "10061 10054 11 WSAECONNRESET",
        "['error', 'select']",
        "SelectSelector False",
        "False False True",
        "False True 0",
        "win32 nt",
        "True True",
        "('win32', 'nt', '/')",
    ]


def test_the_rest_of_the_standard_library_sees_this_machine(program) -> None:
    out = program("""
        import pathlib, subprocess, sys, tempfile, shutil, os, socket, threading, logging, multiprocessing, json
        print(type(pathlib.Path("x")).__name__, pathlib.Path("/tmp").exists())
        print(subprocess.run(["sh", "-c", "cat; echo err >&2"], input=b"in", capture_output=True))
        with tempfile.TemporaryDirectory() as d:
            p = pathlib.Path(d, "a"); p.write_text("x"); shutil.copy(p, p.with_suffix(".b"))
            print(sorted(os.listdir(d)))
        print(os.path.join("a", "b"), os.sep, os.path.__name__)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as c:
            print(c.communicate(b"told", timeout=30)[0])
    """)
    assert out.splitlines() == [
        "PosixPath True",
        "CompletedProcess(args=['sh', '-c', 'cat; echo err >&2'], returncode=0, stdout=b'in', stderr=b'err\\n')",
        "['a', 'a.b']",
        "a/b / posixpath",
        "b'told'",
    ]


def test_loop_that_windows_does_not_have_is_not_found(program, tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("print('found')")
    (tmp_path / "library.py").write_text(
        "import asyncio\ntry:\n    import uvloop\nexcept ImportError as e:\n    print(e.name)\n"
    )
    assert program("import library") == "uvloop\n"
    assert program("import library", plain=True) == "found\n"


def test_multiprocessing_works(program) -> None:
    out = program("""
        import multiprocessing, socket
        def work(n):
            return n * n
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(work, range(4)))
            ours, theirs = multiprocessing.Pipe()
            ours.send("x"); print(theirs.recv())
    """)
    assert out == "[0, 1, 4, 9]\nx\n"


def test_file_urls_are_this_machines(program, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("content")
    out = program("""
        import pathlib, urllib.request
        with urllib.request.urlopen(pathlib.Path("data.txt").absolute().as_uri()) as answer:
            print(answer.read())
    """)
    assert out == "b'content'\n"


def test_modules_of_the_program_see_windows_and_may_shadow(program, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import sys, os\nseen = sys.platform, os.name\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("from . import inner\n")
    (tmp_path / "package" / "inner.py").write_text("from sys import platform\n")
    assert program("""
        import helper, package
        print(helper.seen, package.inner.platform)
    """) == "('win32', 'nt') win32\n"


def test_third_party_modules_see_windows_if_they_are_networking_code(program, tmp_path: Path) -> None:
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    (site / "tui.py").write_text("import sys\nseen = sys.platform\n")
    (site / "client.py").write_text("import sys\nseen = sys.platform\ndef go():\n    import socket\n")
    out = program("""
        import sys
        sys.path.append("lib/site-packages")
        import tui, client
        print(tui.seen, client.seen)
    """)
    assert out == f"{sys.platform} win32\n"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import socket", ["socket"]),
        ("from asyncio import run", ["asyncio"]),
        ("def f():\n class C:\n  def g(self):\n   import http.client, os", ["http.client", "os"]),
        ("x = 'import socket'", []),
        ("\n".join(f"name{i} = {i}" for i in range(300)) + "\nimport ssl", ["ssl"]),
    ],
)
def test_imports_are_found_in_code(source: str, names: list[str]) -> None:
    assert list(imports(compile(source, "x", "exec"))) == names


def test_what_networking_code_is() -> None:
    assert is_networking(compile("import urllib.request", "x", "exec"))
    assert not is_networking(compile("import urllib.parse", "x", "exec"))


def test_builtins_written_to_reach_the_program(program) -> None:
    assert program("""
        import builtins
        builtins.shout = lambda: print("HEY")
        shout()
        del builtins.shout
        try:
            shout()
        except NameError:
            print("gone")
    """) == "HEY\ngone\n"


def test_writes_to_sys_and_os_reach_the_real_ones(program) -> None:
    assert program("""
        import io, os, sys
        old, sys.stdout = sys.stdout, io.StringIO()
        print("x")
        text, sys.stdout = sys.stdout.getvalue(), old
        print(repr(text))
        os.environ["A_NAME"] = "1"
        import subprocess
        print(subprocess.run(["printenv", "A_NAME"], capture_output=True).stdout)
        from os import *
        print(name, "fork" in globals(), getpid() > 0)
        sys.platform = "mine"
        print(sys.platform)
    """) == "'x\\n'\nb'1\\n'\nnt False True\nmine\n"


def test_asyncio_runs_on_these_sockets(program) -> None:
    out = program("""
        import asyncio, socket, warnings
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()
        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"hello\\n")
                print(await reader.read(), type(asyncio.get_running_loop()).__name__)
                writer.close()
            try:
                await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError as e:
                print(e.errno)
        asyncio.run(main())
        with asyncio.Runner(loop_factory=asyncio.ProactorEventLoop) as runner:   # as uvicorn does
            runner.run(main())
        warnings.simplefilter("ignore", DeprecationWarning)      # policies, since 3.14
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
        asyncio.run(main())
    """)
    proactor = "b'HELLO\\n' ProactorEventLoop\n22\n"  # 1225 is none of errno's numbers
    assert out == proactor * 2 + "b'HELLO\\n' _WindowsSelectorEventLoop\n10061\n"


def test_imports_of_windows_only_modules_fail_as_imports_do(program) -> None:
    assert program("""
        try:
            import winreg
        except ModuleNotFoundError as e:
            print(e.name)
        import fcntl                       # the program's own affair
        print(fcntl.__name__)
    """) == "winreg\nfcntl\n"


def test_submodules_of_replaced_packages_can_be_imported_by_name(program) -> None:
    program("""
        import socket
        from importlib import metadata, resources
        import importlib.util
        assert metadata.version and resources.files and importlib.util.find_spec
    """)


def test_pickles_and_json_of_the_view(program) -> None:
    out = program("""
        import json, pickle, socket, sys
        print(json.dumps([int(socket.AF_INET6), sys.getwindowsversion().build]))
        print(pickle.loads(pickle.dumps(socket.AF_INET6)) is socket.AF_INET6)
    """)
    numbers, same = out.splitlines()
    assert json.loads(numbers)[0] == 23
    assert same == "True"


def test_os_has_no_texts_for_winsock(program) -> None:
    assert program("""
        import os
        print(os.strerror(10061), os.strerror(2), sep=", ")
    """) == "Unknown error, No such file or directory\n"


def test_pytest_warns_of_nothing(run, tmp_path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    import sys\n    assert sys.platform == 'win32'\n")
    done = run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_it.py")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_what_is_typed_into_ipython_sees_windows(program, tmp_path: Path) -> None:
    """By a stand-in for IPython with the two methods that matter."""
    (tmp_path / "IPython" / "core").mkdir(parents=True)
    (tmp_path / "IPython" / "core" / "interactiveshell.py").write_text("""
import builtins
from types import ModuleType
class InteractiveShell:
    def __init__(self):
        self.user_module, self.user_ns = self.prepare_user_module()
        self.init_builtins()
    def prepare_user_module(self, user_module=None):
        module = ModuleType("__main__")
        vars(module).setdefault("__builtins__", builtins)
        return module, vars(module)
    def init_builtins(self):
        vars(builtins)["display"] = "shown"
    def run(self, typed):
        exec(typed, self.user_ns)
""")
    out = program("""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell()
        shell.run("import sys; print(sys.platform, display, __name__)")
    """)
    assert out == "win32 shown __main__\n"


def test_what_coverage_runs_sees_windows(program, tmp_path: Path) -> None:
    """By a stand-in for the module in which coverage makes a __main__."""
    (tmp_path / "coverage").mkdir()
    (tmp_path / "coverage" / "execfile.py").write_text("""
import sys
from types import ModuleType
def run(source):
    main_mod = ModuleType("__main__")
    main_mod.__file__ = "<source>"
    main_mod.__builtins__ = sys.modules["builtins"]
    exec(compile(source, "<source>", "exec"), main_mod.__dict__)
""")
    out = program("""
        from coverage.execfile import run
        run("import sys; print(sys.platform, __name__, __file__)")
    """)
    assert out == "win32 __main__ <source>\n"


@pytest.mark.parametrize("name", ["ifaddr", "psutil", "scapy"])
def test_who_asks_this_machine_for_what_lies_below_sockets_sees_it(program, tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(
        "import os, socket, sys\n"
        "seen = sys.platform, os.name, os.uname()[0], int(socket.AF_INET6), socket.AF_PACKET > 0\n"
    )
    out = program(f"""
        import socket, sys
        import {name}
        print(*{name}.seen, sys.platform, int(socket.AF_INET6))
    """)
    assert out == "linux posix Linux 10 True win32 23\n"


def test_modules_loaded_from_a_file_see_windows(program, tmp_path: Path) -> None:
    source = "import os, socket, sys\nseen = sys.platform, os.name, int(socket.AF_INET6)\n"
    (tmp_path / "plugin.py").write_text(source)
    out = program(f"""
        import importlib.util
        path = {str(tmp_path / "plugin.py")!r}
        for location in (dict(location=path), dict(location=path, submodule_search_locations=[])):
            spec = importlib.util.spec_from_file_location("loaded", **location)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            print(*module.seen, module.__file__ == path, module.__spec__ is spec)
        print(importlib.util.spec_from_file_location("loaded", "/no/extension"))
        print(importlib.util.spec_from_file_location("json", importlib.util.find_spec("json").origin).loader is None)
    """)
    assert out == "win32 nt 23 True True\n" * 2 + "None\nFalse\n"
