"""The pytest plugin: the port_block fixture, as other people's test suites see it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

pytest_plugins = "pytester"


def test_it_is_registered():
    found = [entry.value for entry in entry_points(group="pytest11") if entry.name == "winsock"]
    assert found == ["winsock.pytest_plugin"]


def test_it_imports_next_to_nothing():
    # Everybody's pytest loads it, winsock tests or not.
    code = (
        "import sys, pytest; before = set(sys.modules); import winsock.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["winsock", "winsock._version", "winsock.pytest_plugin"], done.stderr


PASSING = {
    "one by default": """
        def test(port_block):
            assert (len(port_block), port_block.protocol) == (1, "tcp")
    """,
    "listening": """
        import socket

        def test(port_block):
            with port_block.socket(listen=5) as server:
                with socket.create_connection(server.getsockname()) as client:
                    assert client.getpeername()[1] == port_block[0]
    """,
    "nobody else can bind": """
        import errno
        import socket
        import pytest

        @pytest.mark.port_block(2)
        def test(port_block):
            for port in port_block:
                with socket.socket() as thief, pytest.raises(OSError) as caught:
                    thief.bind(("127.0.0.1", port))
                assert caught.value.errno == errno.EADDRINUSE
    """,
    "marker": """
        import pytest

        @pytest.mark.port_block(3, "udp")
        def test(port_block):
            assert (len(port_block), port_block.protocol) == (3, "udp")
    """,
    "marker by names": """
        import pytest

        @pytest.mark.port_block(count=2, within=(20_000, 30_000))
        def test(port_block):
            assert len(port_block) == 2
            assert 20_000 <= port_block.start <= 29_999
    """,
    "marker of a class": """
        import pytest

        @pytest.mark.port_block(count=2)
        class TestServer:
            def test(self, port_block):
                assert len(port_block) == 2

            @pytest.mark.port_block(count=4)
            def test_more(self, port_block):
                assert len(port_block) == 4
    """,
    "parameters": """
        import pytest

        @pytest.mark.parametrize("port_block", [1, {"count": 2, "protocol": "udp"}], indirect=True)
        def test(port_block):
            assert len(port_block) == (2 if port_block.protocol == "udp" else 1)
    """,
    "freed afterwards": """
        import socket

        blocks = []

        def test(port_block):
            blocks.append(port_block)
            port_block.socket(listen=1).close()

        def test_after():
            assert blocks[0].closed
    """,
    "asyncio": """
        import asyncio

        async def serve(block):
            server = await asyncio.start_server(lambda reader, writer: writer.close(), sock=block.socket())
            async with server:
                reader, writer = await asyncio.open_connection("127.0.0.1", block[0])
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()

        def test(port_block):
            asyncio.run(serve(port_block))
    """,
}


OPTIONS = ("-q", "--strict-markers", "-p", "no:cacheprovider")


def test_uses(pytester):
    # One run for all: each would start an interpreter.
    pytester.makepyfile(**{f"test_{name.replace(' ', '_')}": text for name, text in PASSING.items()})
    result = pytester.runpytest_subprocess(*OPTIONS, "-W", "error")
    result.assert_outcomes(passed=len(PASSING) + 3)


WRONG = {
    "protocol": ('@pytest.mark.port_block(protocol="sctp")', "*protocol must be 'tcp' or 'udp', not 'sctp'*"),
    "argument": ("@pytest.mark.port_block(ports=4)", "*unexpected keyword argument 'ports'*"),
    "count": ("@pytest.mark.port_block(0)", "*count must be at least 1*"),
}


def test_nonsense_is_an_error_that_says_so(pytester):
    for name, (marker, _) in WRONG.items():
        pytester.makepyfile(**{f"test_{name}": f"import pytest\n\n{marker}\ndef test(port_block):\n    pass\n"})
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(errors=len(WRONG))
    for _, words in WRONG.values():
        result.stdout.fnmatch_lines([words])


def test_markers_are_listed(pytester):
    result = pytester.runpytest_subprocess("--markers", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*port_block(count=1*"])
