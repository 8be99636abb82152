"""What programs see on a machine without IPv6: here, a network of their own in which it is switched off."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from own_network import in_child, own_network

SWITCH = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")

TELL = """
import socket
def tell(call, *args, **kwargs):
    try:
        print(call(*args, **kwargs))
    except OSError as e:
        print(type(e).__name__, e.errno)
"""
PROGRAMS = {
    "names": (
        """
        def hosts(*args, **kwargs):
            return [i[4][0] for i in socket.getaddrinfo(*args, type=socket.SOCK_STREAM, **kwargs)]
        print(hosts("localhost", 80), hosts(None, 80), hosts(None, 80, flags=socket.AI_PASSIVE), hosts("::1", 80))
        tell(socket.getaddrinfo, "localhost", 80, socket.AF_INET6)
        tell(socket.getaddrinfo, "no-such-host.invalid", 80)
        """,
        "['127.0.0.1'] ['127.0.0.1'] ['0.0.0.0'] ['::1']\ngaierror 11004\ngaierror 11001",
    ),
    "addresses of IPv6": (
        """
        for host in "::1", "2001:db8::1":
            tell(socket.socket(socket.AF_INET6).bind, (host, 0))
            tell(socket.socket(socket.AF_INET6).connect, (host, 80))
            tell(socket.socket(socket.AF_INET6).connect_ex, (host, 80))
            tell(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).connect, (host, 80))
            tell(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto, b"x", (host, 80))
        """,
        "\n".join(["OSError 10049", "OSError 10051", "10051", "OSError 10051", "OSError 10051"] * 2),
    ),
    "both families": (
        """
        print(socket.has_dualstack_ipv6())
        with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
            address = "localhost", server.getsockname()[1]
            with socket.create_connection(address) as client, server.accept()[0] as peer:
                print(client.family.name, peer.getpeername()[0])
        """,
        "True\nAF_INET ::ffff:127.0.0.1",
    ),
    "asyncio's servers": (
        """
        import asyncio
        async def answer(reader, writer):
            writer.write(await reader.readline())
            writer.close()
        async def main():
            for host in "localhost", None, "127.0.0.1":
                async with await asyncio.start_server(answer, host, 0) as server:
                    reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
                    writer.write(b"word\\n")
                    print([s.family.name for s in server.sockets], await reader.read())
                    writer.close()
                    await writer.wait_closed()
        asyncio.run(main())
        """,
        "\n".join(["['AF_INET'] b'word\\n'"] * 3),
    ),
    "broadcast without a route": (
        """
        def new(permitted):
            s = socket.socket(type=socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, permitted)
            return s
        for permitted in 0, 1:
            tell(new(permitted).connect, ("255.255.255.255", 9))
            tell(new(permitted).sendto, b"x", ("255.255.255.255", 9))
        """,
        "\n".join(["PermissionError 13"] * 2 + ["OSError 10051"] * 2),
    ),
}


def without_ipv6() -> None:
    own_network()
    if SWITCH.exists():
        SWITCH.write_text("1")


@pytest.fixture(scope="module")
def offered() -> None:
    kind, text = in_child(without_ipv6)
    if kind != "ok":
        pytest.skip(f"networks of one's own are not allowed here: {text.strip().splitlines()[-1]}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(offered: None, name: str) -> None:
    source, expected = PROGRAMS[name]

    def body() -> None:
        without_ipv6()
        command = [sys.executable, "-m", "winsock", "run", "-c", TELL + textwrap.dedent(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr, done.returncode) == (expected + "\n", "", 0)

    kind, text = in_child(body)
    assert kind == "ok", text
