"""The store of persistent reservations, damaged, locked, or on disks that are full or may not be written; and what
goes on without it."""

from __future__ import annotations

import ctypes
import json
import os
import sqlite3
from pathlib import Path

import pytest
from persistent_calls import create, lookup

from winsock import cli, ports
from winsock.abi import _constants as c
from winsock.ports import _kernel_list, _store, persistent

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


# -- damage


def damaged(data: bytes) -> list[bytes]:
    half = len(data) // 2
    return [
        b"",
        b"not a store at all\n" * 500,
        data[:half],
        data[:100],
        b"\0" * len(data),
        data[:4096] + b"\xff" * (len(data) - 4096),
        data[:60] + b"\0\0\0\x63" + data[64:],  # user_version: a later format
        data[:68] + b"\0\0\0\0" + data[72:],  # application_id: somebody else's
    ]


@pytest.mark.parametrize("case", range(8), ids=str)
def test_a_damaged_store_is_named_and_left_as_it_is(isolated, caplog, case):
    def body() -> None:
        assert create(7000, 2) == 0
        file = Path(persistent.store_path())
        broken = damaged(file.read_bytes())[case]
        file.write_bytes(broken)
        for call in (
            lambda: persistent.create(8000, 1),
            lambda: persistent.delete(7000, 2),
            lambda: persistent.lookup(7000, 2),
            persistent.list,
            persistent.apply,
            ports.reservations,
            lambda: ports.explain_port(7000),
        ):
            with pytest.raises(ports.StoreError) as e:
                call()
            assert e.value.code == c.ERROR_FILE_CORRUPT
            assert e.value.filename == str(file)
            assert str(file) in str(e.value)
            assert file.read_bytes() == broken
        with caplog.at_level("WARNING", "winsock"):
            assert create(8000, 1) == c.ERROR_FILE_CORRUPT
        assert str(file) in caplog.text
        assert lookup(7000, 2)[0] == c.ERROR_FILE_CORRUPT
        with ports.reserve(2) as block:  # runtime blocks go on
            assert len(block) == 2
        assert file.read_bytes() == broken

    isolated(body)


def test_a_store_that_is_a_directory(isolated):
    def body() -> None:
        Path(persistent.store_path()).mkdir(parents=True)
        with pytest.raises(ports.StoreError, match=r"port-reservations\.db"):
            persistent.create(7000, 1)
        with pytest.raises(ports.StoreError, match=r"port-reservations\.db"):
            persistent.lookup(7000, 1)

    isolated(body)


def test_a_place_where_no_store_can_be(isolated, tmp_path):
    def body() -> None:
        (tmp_path / "file").write_text("")
        os.environ["WINSOCK_PORTS_STORE"] = str(tmp_path / "file" / "store")
        with pytest.raises(ports.StoreError, match="file") as e:
            persistent.create(7000, 1)
        assert e.value.code == c.ERROR_ACCESS_DENIED
        assert persistent.list() == []

    isolated(body)


def test_a_store_that_another_program_keeps_locked(isolated):
    def body() -> None:
        assert create(7000, 1) == 0
        _store.PATIENCE = 0.05
        db = sqlite3.connect(persistent.store_path(), isolation_level=None)
        with open(Path(persistent.store_path()).with_suffix(".lock"), "r+b") as f:
            import fcntl

            fcntl.flock(f, fcntl.LOCK_EX)
            with pytest.raises(ports.StoreError, match="locked") as e:
                persistent.create(8000, 1)
            assert e.value.code == c.ERROR_LOCK_VIOLATION
        db.close()
        assert create(8000, 1) == 0

    isolated(body)


def test_links_in_place_of_the_lock_are_not_followed(isolated, tmp_path):
    def body() -> None:
        target = tmp_path / "target"
        folder = Path(os.environ["WINSOCK_PORTS_STORE"])
        folder.mkdir()
        (folder / "port-reservations.lock").symlink_to(target)
        with pytest.raises(ports.StoreError, match="lock"):
            persistent.create(7000, 1)
        assert not target.exists()

    isolated(body)
