"""What a program starts with its own interpreter sees Windows too; what else Windows' programs ask of processes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock.python import _processes
from winsock.python._processes import BOOT, STARTUPINFO, under_run

OURS = ["-c", BOOT, "run", "--quiet", "--loop=selector"]


@pytest.mark.parametrize(
    ("before", "program"),
    [
        ([], ["app.py", "-c", "x"]),
        ([], ["-c", "pass", "-m", "x"]),
        ([], ["-cpass", "x"]),
        ([], ["-m", "package", "x"]),
        ([], ["-mpackage"]),
        ([], ["-"]),
        (["-u", "-W", "error", "-Xdev", "-X", "utf8", "-Wignore"], ["-m", "package"]),
        (["-uW", "error"], ["-c", "pass"]),
        (["--check-hash-based-pycs", "never"], ["-c", "pass"]),
        (["-I", "-S"], ["-c", "pass"]),
    ],
)
def test_the_interpreters_options_stay_in_front(before: list[str], program: list[str]) -> None:
    separator = [] if program[0].startswith("-") else ["--"]
    assert under_run(["py", *before, *program], OURS[4:]) == ["py", *before, *OURS, *separator, *program]


def test_options_written_together_are_parted() -> None:
    assert under_run(["py", "-uBc", "pass", "x"], ["--loop=selector"]) == ["py", "-uB", *OURS, "-c", "pass", "x"]
    assert under_run(["py", "-bmpackage"], ["--loop=selector"]) == ["py", "-b", *OURS, "-mpackage"]


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["-V"],
        ["-h"],
        ["--version"],
        ["-u"],
        ["-c"],
        ["-W"],
        ["-x", "app.py"],
        ["-m", "pip", "list"],
        ["-mvenv", "x"],
        ["-m", "winsock", "run", "app.py"],
        ["-m", "winsock.cli"],
        ["/usr/bin/winsock", "run", "app.py"],
        ["/lib/pip/__main__.py"],
        ["-c", BOOT, "run", "app.py"],
    ],
)
def test_what_runs_no_program_is_left_alone(args: list[str]) -> None:
    found = under_run(["py", *args], [])
    assert found is None or args == ["-c"]  # the interpreter complains of that one


def test_a_program_may_come_from_standard_input() -> None:
    assert under_run(["py", "-u"], ["--loop=selector"], piped=True) == ["py", "-u", *OURS, "-"]
    assert under_run(["py", "-iu"], [], piped=True) is None  # somebody speaks to it
    assert under_run(["py", "-V"], [], piped=True) is None


@given(
    st.lists(st.sampled_from(["-u", "-W", "-c", "-m", "-Xa", "-", "--", "x", "-iW", "pip", "-V", "-um", "--help"]))
)
def test_nothing_is_lost_and_ours_comes_once(args: list[str]) -> None:
    found = under_run(["py", *args], [])
    if found is not None:
        assert found.count(BOOT) == 1
        at = found.index(BOOT)
        rest = [*found[: at - 1], *found[at + 3 :]]
        assert "".join(rest).replace("-", "") == "".join(["py", *args]).replace("-", "")


def test_arguments_may_be_bytes_and_paths(program, tmp_path) -> None:
    (tmp_path / "other.py").write_text("import sys; print(sys.platform, sys.argv[1:])")
    out = program(f"""
        import pathlib, subprocess, sys
        path = pathlib.Path({str(tmp_path / "other.py")!r})
        subprocess.run([pathlib.Path(sys.executable), path, b"a"], check=True)
        subprocess.run((sys.executable.encode(), bytes(path)), check=True)
        subprocess.run(executable=sys.executable, args=["python", path])
        print(subprocess.run([sys.executable, path, "x"], capture_output=True).args[1:] == [path, "x"])
    """)
    assert out.splitlines() == ["win32 ['a']", "win32 []", "win32 []", "True"]


def test_other_programs_are_what_they_are(program) -> None:
    out = program("""
        import subprocess, sys
        print(subprocess.run(["echo", sys.executable, "-c", "pass"], capture_output=True, text=True).stdout
              == sys.executable + " -c pass\\n", flush=True)
        subprocess.run(f"'{sys.executable}' -c 'import sys; print(sys.platform)'", shell=True)
        subprocess.run([sys.executable, "-V"])
        try:
            subprocess.run(["/no/such/program"])
        except FileNotFoundError as e:
            print(e.__traceback__.tb_next.tb_next.tb_frame.f_code.co_filename.endswith("subprocess.py"))
        for wrong in ([sys.executable, 5], 5, []):
            try:
                subprocess.run(wrong)
            except Exception as e:
                print(type(e).__name__)
    """)
    version = sys.version.split()[0]
    assert out.splitlines() == ["True", "linux", f"Python {version}", "True", "TypeError", "TypeError", "IndexError"]


def test_a_child_has_the_options_of_its_parent(run, tmp_path) -> None:
    (tmp_path / "app.py").write_text(
        "import asyncio, subprocess, sys\n"
        "loop = asyncio.new_event_loop()\n"
        "print(type(loop).__name__, sys.argv[1:], sys.path[0], flush=True)\n"
        "loop.close()\n"
        "if not sys.argv[1:]:\n"
        "    subprocess.run([sys.executable, __file__, 'child'], check=True)\n"
    )
    done = run("--loop", "selector", "app.py", cwd=tmp_path)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [f"_WindowsSelectorEventLoop {a} {tmp_path}" for a in ([], ["child"])]


def test_modules_of_the_current_directory_do_not_disturb_the_start(program, tmp_path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("socket", "winsock"):
        (tmp_path / "there" / f"{name}.py").write_text("raise SystemExit('wrong one')")
    out = program(f"""
        import os, subprocess, sys
        code = "import sys; print(sys.platform, sys.path[0] == '')"
        subprocess.run([sys.executable, "-c", code], cwd={str(tmp_path / "there")!r}, check=True)
    """)
    assert out == "win32 True\n"


def test_a_program_may_replace_itself(program) -> None:
    out = program("""
        import os, sys
        if len(sys.argv) < 5:
            print(sys.platform, sys.argv[1:], flush=True)
            args = [sys.executable, *sys.argv, "again"]
            [os.execv, os.execvp, lambda p, a: os.execl(p, *a), lambda p, a: os.execve(p, a, os.environ)][
                len(sys.argv) - 1](sys.executable, args)
        print(sys.platform, sys.argv[1:])
    """)
    assert out.splitlines() == [f"win32 {['again'] * n}" for n in range(5)]


def test_an_asyncio_child(program) -> None:
    out = program("""
        import asyncio, sys
        async def main():
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import sys; print(sys.platform)",
                                                         stdout=-1)
            print((await child.communicate())[0])
        asyncio.run(main())
    """)
    assert out == "b'win32\\n'\n"


def test_a_child_that_ends_without_reading(program) -> None:
    out = program("""
        import asyncio, sys
        async def main():
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
            child.stdin.write(b"\\n" + bytes(1 << 22))
            try:
                await child.stdin.drain()  # a pipe takes no more than it has room for, so this waits
            except BrokenPipeError as e:
                print("broken")
            print(await child.wait())
        asyncio.run(main())
    """)
    assert out == "broken\n0\n"


def test_a_child_that_reads_all(program) -> None:
    out = program("""
        import asyncio, sys
        async def main():
            code = "import sys; print(len(sys.stdin.buffer.read()))"
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=-1, stdout=-1)
            child.stdin.write(bytes(1 << 22))
            await child.stdin.drain()
            print(await child.communicate(bytes(5)))
        asyncio.run(main())
    """)
    assert out == f"(b'{(1 << 22) + 5}\\n', None)\n"


def test_what_programs_for_windows_give_to_subprocess(program) -> None:
    out = program("""
        import os, subprocess, sys
        info = subprocess.STARTUPINFO(dwFlags=subprocess.STARTF_USESHOWWINDOW)
        info.wShowWindow = subprocess.SW_HIDE
        info.lpAttributeList["handle_list"].append(5)
        other = info.copy()
        other.lpAttributeList["handle_list"].append(6)
        print(info.lpAttributeList, other.dwFlags, flush=True)
        code = "import os, sys; print(os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid())"
        group = subprocess.CREATE_NEW_PROCESS_GROUP
        for flags in (0, subprocess.CREATE_NO_WINDOW, group, subprocess.DETACHED_PROCESS,
                      group | subprocess.CREATE_NEW_CONSOLE):
            subprocess.run([sys.executable, "-c", code], creationflags=flags, startupinfo=info, check=True)
    """)
    kept, *groups = out.splitlines()
    assert kept == "{'handle_list': [5]} 1"
    assert groups == ["False False", "False False", "True False", "True True", "True True"]


def test_handles_are_handed_on(program) -> None:
    out = program("""
        import msvcrt, os, subprocess, sys
        r, w = os.pipe()
        handle = msvcrt.get_osfhandle(w)
        os.set_handle_inheritable(handle, True)
        code = f"import msvcrt, os; os.write(msvcrt.open_osfhandle({handle}, os.O_RDONLY), b'word')"
        info = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        subprocess.run([sys.executable, "-c", code], startupinfo=info, check=True)
        print(os.read(r, 9))
        try:
            msvcrt.open_osfhandle(999, 0)
        except OSError as e:
            print(e)
    """)
    assert out == "b'word'\n[WinError 6] The handle is invalid\n"


ANSWER = """
import os, signal, sys
def told(number, frame):
    os.write(1, b"SIGBREAK" if number == signal.SIGBREAK else b"SIGINT")
    os._exit(5)
if "handle" in sys.argv:
    signal.signal(signal.SIGINT, told)
    signal.signal(signal.SIGBREAK, told)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("event", "how", "said", "status"),
    [
        ("CTRL_BREAK_EVENT", "handle", "SIGBREAK", 5),
        ("CTRL_BREAK_EVENT", "not", "", -signal.SIGTERM),
        ("CTRL_C_EVENT", "handle", "", 0),  # is not heard in a group of its own
    ],
)
def test_the_console_reaches_a_group(program, tmp_path, event: str, how: str, said: str, status: int) -> None:
    (tmp_path / "child.py").write_text(ANSWER)
    out = program(f"""
        import os, signal, subprocess, sys
        for send in (lambda child, event: child.send_signal(event), lambda child, event: os.kill(child.pid, event)):
            child = subprocess.Popen([sys.executable, {str(tmp_path / "child.py")!r}, {how!r}], stdin=-1, stdout=-1,
                                     text=True, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP)
            child.stdout.readline()
            send(child, signal.{event})
            print(repr(child.communicate()[0]), child.returncode)
    """)
    assert out == f"{said!r} {status}\n" * 2


def test_the_console_reaches_who_shares_it(program, tmp_path) -> None:
    (tmp_path / "child.py").write_text(ANSWER)
    out = program(f"""
        import os, signal, subprocess, sys
        heard = []
        signal.signal(signal.SIGINT, lambda *a: heard.append(1))
        child = subprocess.Popen([sys.executable, {str(tmp_path / "child.py")!r}, "handle"], stdin=-1, stdout=-1,
                                 text=True)
        child.stdout.readline()
        os.kill(child.pid, signal.CTRL_C_EVENT)
        print(repr(child.communicate()[0]), child.returncode, heard)
        child.send_signal(signal.CTRL_C_EVENT)  # it has ended: nothing
        os.kill(os.getpid(), 0)  # a plain 0 asks whether the process is there, as ever
        print(heard)
    """)
    assert out == "'SIGINT' 5 [1]\n[1]\n"


def test_without_the_runner_processes_are_plain() -> None:
    args = [sys.executable, "-c", "pass"]
    assert _processes.command(sys.executable, args) is args
    assert not hasattr(subprocess, "STARTUPINFO")
    assert STARTUPINFO(dwFlags=1).copy().dwFlags == 1
