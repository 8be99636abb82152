"""The pytest plugin: ports for tests, which no other test, worker or program can take.

    def test_server(port_block):
        server = start(port_block.socket(listen=64))

It is loaded with every pytest run where winsock is installed, so it imports nothing until a test asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from winsock.ports import Block

MARKER = (
    "port_block(count=1, protocol='tcp', start=None, within=None): the ports that the port_block fixture reserves"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def port_block(request: pytest.FixtureRequest) -> Iterator[Block]:
    """Consecutive ports that nobody else can bind while the test runs: a winsock.ports.Block.

    One TCP port by default.  @pytest.mark.port_block(4, "udp") asks for others, with the arguments of
    winsock.ports.reserve; so does indirect parametrization, by a count or a dictionary of those arguments:

        @pytest.mark.parametrize("port_block", [1, {"count": 2, "protocol": "udp"}], indirect=True)

    A test's own parameters come before its class' or module's marker.
    """
    arguments = _arguments(request)
    from winsock.ports import reserve

    with reserve(**arguments) as block:
        yield block


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    if (given := getattr(request, "param", None)) is not None:
        return dict(given) if isinstance(given, Mapping) else {"count": given}
    marker = request.node.get_closest_marker("port_block")
    if marker is None:
        return {}
    return {**dict(zip(("count", "protocol"), marker.args)), **marker.kwargs}
