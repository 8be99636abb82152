"""Processes that a program starts with multiprocessing see Windows, however they are started."""

from __future__ import annotations

import multiprocessing
import sys

import pytest

from winsock.python._children import under_winsock

TELL = """
    import errno, os, socket, sys
    from multiprocessing import get_context
    def tell(queue, *sockets):
        told = [sys.platform, os.name, errno.ECONNREFUSED]
        for s in sockets:
            s.sendall(b"word")
            told += type(s).__module__, s.recv(9)
        try:
            socket.socket().getsockname()
        except OSError as e:
            told.append(str(e))
        queue.put(told)
"""
METHODS = multiprocessing.get_all_start_methods()


@pytest.mark.parametrize("method", METHODS)
def test_a_child_sees_windows_and_takes_sockets(program, method: str) -> None:
    out = program(TELL + """
    if __name__ == "__main__":
        context = get_context(sys.argv[1])
        queue, (a, b) = context.Queue(), socket.socketpair()
        b.sendall(b"back")
        child = context.Process(target=tell, args=(queue, a))
        child.start()
        print(*queue.get(timeout=50), b.recv(9))
        child.join()
        print(child.exitcode)
    """, method)
    invalid = "[WinError 10022] An invalid argument was supplied"
    assert out == f"win32 nt 10061 socket b'back' {invalid} b'word'\n0\n"


@pytest.mark.parametrize("method", METHODS)
def test_a_child_is_run_with_the_same_options(run, tmp_path, method: str) -> None:
    (tmp_path / "program.py").write_text("""
import asyncio, os, socket, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
def tell(x):
    loop = asyncio.new_event_loop()
    loop.close()
    with socket.socket() as s:
        try:
            s.getsockname()
        except OSError as e:
            return str(e), type(loop).__name__, sys.flags.dev_mode
if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context(sys.argv[1])) as pool:
        print(*pool.submit(tell, 1).result(50))
""")
    done = run("--lang", "fr", "--loop=selector", "program.py", method)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "[WinError 10022] Un argument non valide a été fourni _WindowsSelectorEventLoop False\n"


@pytest.mark.parametrize("method", METHODS)
def test_connections_of_a_listener_that_was_handed_on_do_not_block_its_port(program, method: str) -> None:
    out = program("""
        import socket, sys
        from multiprocessing import get_context
        def serve(listener, queue):
            listener.listen()
            queue.put("listening")
            connection, _ = listener.accept()
            connection.close()  # first: its end is the one that lingers
            listener.close()
        if __name__ == "__main__":
            context = get_context(sys.argv[1])
            queue, listener = context.Queue(), socket.socket()
            listener.bind(("127.0.0.1", 0))
            address = listener.getsockname()
            child = context.Process(target=serve, args=(listener, queue))
            child.start()
            print(queue.get(timeout=50))
            with socket.create_connection(address) as client:
                print(client.recv(9))
            child.join()
            listener.close()
            with socket.socket() as again:
                again.bind(address)
                again.listen()
                print(again.getsockname() == address)
    """, method)
    assert out == "listening\nb''\nTrue\n"


def test_what_a_child_raises_is_shown_as_ever(run, tmp_path) -> None:
    (tmp_path / "program.py").write_text("""
from multiprocessing import get_context
def fail():
    import socket
    socket.socket().getsockname()
if __name__ == "__main__":
    child = get_context("spawn").Process(target=fail)
    child.start()
    child.join()
    print(child.exitcode)
""")
    done = run("program.py")
    assert done.stdout == "1\n"
    assert done.stderr.startswith("Process SpawnProcess-1:\nTraceback (most recent call last):\n")
    assert done.stderr.rstrip().endswith("OSError: [WinError 10022] An invalid argument was supplied")


@pytest.mark.parametrize(
    ("code", "starts"),
    [
        ("from multiprocessing.spawn import spawn_main; spawn_main()", True),
        ("import sys; from multiprocessing.forkserver import main; main()", True),
        ("from multiprocessing.resource_tracker import main;main(5)", False),
        ("print('multiprocessing')", False),
    ],
)
def test_which_command_lines_start_a_program(code: str, starts: bool) -> None:
    line = [sys.executable, "-W", "error", "-c", code, "--multiprocessing-fork"]
    under = ["-m", "winsock", "run", "--quiet", "--loop=selector"] if starts else []
    assert under_winsock(line, ["--loop=selector"]) == [*line[:3], *under, *line[3:]]


@pytest.mark.parametrize("line", [[], ["python"], ["python", "-c"], ["python", "multiprocessing.spawn"]])
def test_other_command_lines_stay(line: list[str]) -> None:
    assert under_winsock(line, []) == line
