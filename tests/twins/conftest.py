"""Twins: one check, two arms.  "here" is winsock in this process, "wine" is Wine's ws2_32.

`make test` runs the arm here; `make test-wine` (pytest --wine tests/twins) runs both.  A check gets

    user     user32
    kernel   kernel32
    ws       ws2_32 with Winsock 2.2 started: ws.bind(s, name, 16) -> Result(ret, error)
    kit      sockets in the states that checks begin with, closed afterwards
    arm      thread(name), alloc(what), read(addr, n), callback(spec, ret) of the arm

@pytest.mark.wine(differs="how") on a check says that Wine is known to get it wrong: it must fail there, so that
the note goes when Wine has learned it.
"""

from __future__ import annotations

import pytest
from arms import Here, Kit, OnWine


def pytest_addoption(parser):
    parser.addoption("--wine", action="store_true", help="run the twins on Wine too")


def pytest_generate_tests(metafunc):
    if "arm" in metafunc.fixturenames:
        wine = metafunc.config.getoption("--wine", default=False)
        metafunc.parametrize("arm", ["here", "wine"] if wine else ["here"], indirect=True, scope="module")


def pytest_collection_modifyitems(items):
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        for mark in item.iter_markers("wine"):
            if params.get("arm") == "wine" and "differs" in mark.kwargs:
                item.add_marker(pytest.mark.xfail(reason=mark.kwargs["differs"], strict=True))


@pytest.fixture(scope="module")
def arm(request):
    with OnWine() if request.param == "wine" else Here() as arm:
        assert arm.ws.WSAStartup(0x0202, bytearray(408)).ret == 0
        yield arm


@pytest.fixture
def ws(arm):
    return arm.ws


@pytest.fixture
def user(arm):
    return arm.user


@pytest.fixture
def kernel(arm):
    return arm.kernel


@pytest.fixture
def kit(arm):
    with Kit(arm) as kit:
        yield kit
