"""winsock ports explain: who has a port and what to do, in four languages."""

from __future__ import annotations

import json
import os
import socket
import string
import unicodedata

import pytest

from winsock import cli, ports
from winsock.cli import _ports_show, _ports_text
from winsock.codes import WSA
from winsock.ports import Finding, PortReport

LANGUAGES = ["en", "fr", "ja", "zh-Hant"]
KINDS = [
    "runtime reservation", "persistent reservation", "listener", "bound", "connection", "time-wait",
    "system reserved", "privileged",
]  # fmt: skip


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """No persistent reservations but the test's own."""
    monkeypatch.setenv("WINSOCK_PORTS_STORE", str(tmp_path))
    monkeypatch.setenv("WINSOCK_PORTS_SYSCTL", "")


def explain(capsys, *arguments):
    """(exit status, text)."""
    status = cli.main(["ports", "explain", *map(str, arguments)])
    return status, capsys.readouterr().out


def test_a_free_port(lend, capsys):
    port = lend(1)
    status, text = explain(capsys, port, "--protocol", "tcp")
    assert status == 0
    assert text.startswith(f"Port {port}/tcp: a bind works now.\n")
    assert "No socket and no reservation" in text


def test_a_reserved_port(lend, capsys):
    with ports.reserve(3, start=lend(3)) as block:
        status, text = explain(capsys, block.start + 1)
    tcp, udp = text.split("\n\nPort ")
    assert status == 1
    assert tcp.startswith(f"Port {block.start + 1}/tcp: a bind fails now: 10013 WSAEACCES.\n")
    assert f"Process {os.getpid()} (" in tcp
    assert f"{block.start}-{block.start + 2}" in " ".join(tcp.split())
    assert udp.startswith(f"{block.start + 1}/udp: a bind works now.\n")


def test_a_listener(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        status, text = explain(capsys, port, "--protocol", "tcp")
    assert status == 1
    assert "10048 WSAEADDRINUSE" in text
    assert f"Process {os.getpid()} (" in text
    assert "listens on 127.0.0.1" in " ".join(text.split())
    assert "Stop that program" in text


def test_another_address_is_no_obstacle(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        status, text = explain(capsys, port, "--protocol", "tcp", "--host", "127.0.0.2")
    assert status == 0
    assert "(asked for the address 127.0.0.2)" in text


def test_a_datagram_socket(capsys):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        status, text = explain(capsys, sock.getsockname()[1], "--protocol", "udp")
    assert status == 1
    assert "bound to 127.0.0.1" in " ".join(text.split())


def test_what_the_kernel_may_assign(capsys):
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        low, high = map(int, file.read().split())
    _, text = explain(capsys, low, "--protocol", "udp")
    assert f"{low}-{high}" in " ".join(text.split())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write the persistent reservations")
def test_a_persistent_reservation(lend, capsys):
    start = lend(2)
    ports.persistent.create(start, 2)
    status, text = explain(capsys, start, "--protocol", "tcp")
    assert status == 0
    assert f"winsock ports delete {start}-{start + 1} --protocol tcp" in " ".join(text.split())


def test_json(lend, capsys):
    with ports.reserve(2, start=lend(2)) as block:
        status, text = explain(capsys, block.start, block.start + 1, "--format", "json", "--protocol", "tcp")
    assert status == 1
    first, second = json.loads(text)
    assert (first["port"], second["port"]) == (block.start, block.start + 1)
    assert (first["code"], first["name"], first["automatic_range"]) == (10013, "WSAEACCES", None)
    (finding,) = first["findings"]
    assert finding["kind"] == "runtime reservation"
    assert (finding["start"], finding["count"], finding["pid"]) == (block.start, 2, os.getpid())


# -- the texts ---------------------------------------------------------------------------------


def holes(text):
    """The names that a text has filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_languages():
    assert list(_ports_text.languages()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_same_texts_in_every_language(language):
    english, other = _ports_text.load("en"), _ports_text.load(language)
    assert {s: list(texts) for s, texts in other.items()} == {s: list(texts) for s, texts in english.items()}
    for section, texts in english.items():
        for key, text in texts.items():
            assert holes(other[section][key]) == holes(text), (section, key)
            assert other[section][key] != text, (section, key)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_finding_has_words(language, kind, monkeypatch, capsys):
    seen = Finding(kind, int(WSA.WSAEADDRINUSE), "192.0.2.7", 5000, 10, 4242, 0, "server --port 5000")
    unseen = Finding(kind, int(WSA.WSAEADDRINUSE), "192.0.2.7", 5000, 10)
    report = PortReport(5005, "tcp", int(WSA.WSAEADDRINUSE), [seen, unseen])
    monkeypatch.setattr(ports, "explain_port", lambda *_: report)
    monkeypatch.setenv("COLUMNS", "60")
    status, text = explain(capsys, 5005, "--protocol", "tcp", "--lang", language)
    assert status == 1
    assert "5005" in text.split("\n")[0]
    assert "10048 WSAEADDRINUSE" in text
    assert not {"{", "}"} & set(text)
    for line in text.split("\n")[1:]:
        assert sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) <= 61, line


@pytest.mark.parametrize("text", ["短い文。" * 20, "日本語 and English words 混ざる text。" * 5, "x" * 200])
def test_wrapping_loses_nothing(text):
    lines = list(_ports_show._wrapped(text, 50))
    assert "".join("".join(lines).split()) == "-" + "".join(text.split())
