"""The store of persistent reservations on disks that are full, or may not be written; and what goes on without it."""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path

import pytest

from winsock import cli, ports
from winsock.abi import _constants as c
from winsock.ports import _kernel_list, persistent

CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 0x20000, 1, 32, 0x4000, 1 << 18
SMALL = 64 * 1024  # bytes: a store, and little more


def mounted(options: str, flags: int = 0) -> Path:
    """A disk of this process' own in the place of the store."""
    place = Path(os.environ["WINSOCK_PORTS_STORE"])
    place.mkdir(exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if not flags and (libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)):
        pytest.skip(f"mount namespaces are not allowed here: {os.strerror(ctypes.get_errno())}")
    if libc.mount(b"none", str(place).encode(), b"tmpfs", flags, options.encode()):
        pytest.skip(f"mounts are not allowed here: {os.strerror(ctypes.get_errno())}")
    return place


def fill(place: Path) -> Path:
    """Take what is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError:
            pass
    return filler


def test_a_full_disk_keeps_the_store_as_it_is(isolated):
    def body() -> None:
        place = mounted(f"size={SMALL}")
        token = persistent.create(7000, 2)
        listed = _kernel_list.read()
        filler = fill(place)
        for change in (lambda: persistent.create(8000, 2), lambda: persistent.delete(7000, 2)):
            with pytest.raises(ports.StoreError, match="full") as e:
                change()
            assert (e.value.code, e.value.filename) == (c.ERROR_DISK_FULL, persistent.store_path())
        assert [row.start for row in persistent.list()] == [7000]
        assert persistent.lookup(7000, 2) == token
        assert _kernel_list.read() == listed
        filler.unlink()
        persistent.create(8000, 2)
        persistent.delete(7000, 2)
        assert _kernel_list.read() == [(8000, 8001)]

    isolated(body)


def test_no_store_is_begun_on_a_full_disk(isolated):
    def body() -> None:
        place = mounted(f"size={SMALL}")
        filler = fill(place)
        with pytest.raises(ports.StoreError, match="full"):
            persistent.create(7000, 2)
        assert [name for name in os.listdir(place) if ".db" in name] == []
        assert persistent.list() == []
        filler.unlink()
        persistent.create(7000, 2)

    isolated(body)


def test_a_disk_that_may_not_be_written_can_be_read(isolated, caplog):
    def body() -> None:
        mounted(f"size={SMALL}")
        token = persistent.create(7000, 2)
        mounted("", MS_REMOUNT | MS_RDONLY)
        for change in (lambda: persistent.create(8000, 2), lambda: persistent.delete(7000, 2)):
            with pytest.raises(ports.StoreError, match="Read-only") as e:
                change()
            assert e.value.code == c.ERROR_ACCESS_DENIED
        caplog.clear()
        assert persistent.lookup(7000, 2) == token
        assert not caplog.records
        with pytest.raises(ports.PortError):
            ports.reserve(start=7001)

    isolated(body)


def test_a_kernels_list_that_may_not_be_written_costs_no_writing(isolated, caplog):
    """As in most containers: what only asks for a block does not try each time anew."""

    def body() -> None:
        os.environ["WINSOCK_PORTS_SYSCTL"] = str(Path(os.environ["WINSOCK_PORTS_STORE"]) / "none")
        token = persistent.create(7000, 2)
        caplog.clear()
        before = Path(persistent.store_path()).read_bytes()
        assert persistent.lookup(7000, 2) == token
        assert Path(persistent.store_path()).read_bytes() == before
        assert not caplog.records
        assert not persistent.apply()

    isolated(body)


def test_without_the_store_the_other_reservations_are_told(isolated, capsys):
    def body() -> None:
        persistent.create(7000, 2)
        Path(persistent.store_path()).write_bytes(b"no store" * 100)
        with ports.reserve(start=8000):
            assert cli.main(["ports", "list", "--format", "json"]) == 1
            told = capsys.readouterr()
            assert [row["start"] for row in json.loads(told.out)] == [8000]
            assert persistent.store_path() in told.err
            assert cli.main(["ports", "explain", "8000", "--format", "json", "--protocol", "tcp"]) == 1
            told = capsys.readouterr()
            (report,) = json.loads(told.out)
            assert [finding["kind"] for finding in report["findings"]] == ["runtime reservation"]
            assert persistent.store_path() in told.err
            assert cli.main(["ports", "explain", "9000"]) == 1  # it might be reserved
        with pytest.raises(ports.StoreError):
            ports.explain_port(9000)
        assert ports.explain_port(9000, persistent=False).findings == []

    isolated(body)
