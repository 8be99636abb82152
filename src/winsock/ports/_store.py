"""The store of persistent reservations: an SQLite file that everybody may read and administrators write.

Changes are serial: a lock file is held around each, from the first look to the last write, so that the file and the
kernel's list of reserved ports change together.  The file keeps which ports of that list are ours (`applied`),
written before they are added and forgotten after they are taken out: a process killed in between leaves something
to put right, and the next change does.

SQLite keeps a rollback journal, not a write-ahead log: only then can users read who may not write.  The token of a
block is made from the store's identity, the block and the boot, so it changes with each boot and nobody has to
write that down.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket as linux
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from winsock.abi import _constants as c
from winsock.codes import WSA
from winsock.ports import _kernel_list, _placeholder
from winsock.ports._errors import Refused
from winsock.ports._kernel_list import LAST_PORT, Range, common, merged, without
from winsock.ports._markers import KINDS
from winsock.ports._placeholder import STREAM, Busy
from winsock.ports._places import NAME, directory, path
from winsock.ports._rights import administrator

if TYPE_CHECKING:
    from sqlite3 import Connection

PERSISTENT_TOKEN: Final = 1 << 63
PATIENCE: Final = 30.0  # seconds for others' changes to end
PIECE: Final = 1024  # ports that are tried at once where descriptors do not suffice for all
APPLICATION: Final = 0x57535052  # in the file's header: ours
FORMAT: Final = 1
COUNTER_AT: Final = 24  # SQLite's change counter, in the file's header
SO_NETNS_COOKIE: Final = 71

_SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE store (identity BLOB NOT NULL);
CREATE TABLE reservations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp')),
    start INTEGER NOT NULL CHECK (typeof(start) = 'integer' AND start BETWEEN 1 AND {LAST_PORT}),
    count INTEGER NOT NULL CHECK (typeof(count) = 'integer' AND count >= 1 AND start + count - 1 <= {LAST_PORT}),
    UNIQUE (protocol, start)
);
CREATE TABLE applied (
    boot TEXT NOT NULL, network TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL CHECK (first <= last)
);
"""

_CODES: Final = {
    errno.EMFILE: c.ERROR_TOO_MANY_OPEN_FILES,
    errno.ENFILE: c.ERROR_TOO_MANY_OPEN_FILES,
    errno.ENOSPC: c.ERROR_DISK_FULL,
    errno.EDQUOT: c.ERROR_DISK_FULL,
    errno.ENOMEM: c.ERROR_NOT_ENOUGH_MEMORY,
}

_log = logging.getLogger("winsock")


@dataclass(frozen=True, slots=True)
class Row:
    """A persistent block, and its token in this boot."""

    protocol: str
    start: int
    count: int
    token: int

    @property
    def block(self) -> tuple[str, int, int]:
        return self.protocol, self.start, self.count

    @property
    def range(self) -> Range:
        return self.start, self.start + self.count - 1


def blamed(code: int, what: str, file: str) -> Refused:
    """An error of the store, which names the file."""
    return Refused(code, f"{file}: {what}; nothing in it was changed", file)


def _unusable(e: OSError, file: str) -> Refused:
    """The system's error as the store's."""
    return blamed(_CODES.get(e.errno or 0, c.ERROR_ACCESS_DENIED), e.strerror or str(e), file)


# -- reading


def rows() -> list[Row]:
    """Every persistent block, by port; StoreError when the store cannot be read."""
    if not os.path.exists(path()):
        return []
    with _reading() as db:
        return _rows(db)


def excluded(protocol: str) -> list[Range]:
    """The ports that persistent blocks of a protocol have; fast when there are none.

    A store that cannot be read keeps nobody from using ports: it is told to the log.
    """
    key = _key(path())
    if key is None:
        return []
    try:
        return _excluded(path(), protocol, *key)
    except Refused as e:
        _log.warning("persistent port reservations are not heeded: %s", e)
        return []


@lru_cache(8)
def _excluded(file: str, protocol: str, inode: int, counter: bytes) -> list[Range]:
    return merged(row.range for row in rows() if row.protocol == protocol)


def _key(file: str) -> tuple[int, bytes] | None:
    """What changes when the file changes; None if there is none."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        return 0, b""
    try:
        return os.fstat(fd).st_ino, os.pread(fd, 4, COUNTER_AT)
    finally:
        os.close(fd)


@contextmanager
def _reading() -> Iterator[Connection]:
    file = path()
    mode = "rw" if os.access(file, os.W_OK, effective_ids=True) else "ro"  # rw: whoever can puts a killed write right
    with _faults(file), closing(_open(file, mode)) as db:
        yield db


@contextmanager
def _faults(file: str) -> Iterator[None]:
    """SQLite's errors as ours."""
    import sqlite3

    try:
        yield
    except sqlite3.OperationalError as e:
        name = getattr(e, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise blamed(c.ERROR_LOCK_VIOLATION, "locked by another program", file) from None
        if name.startswith("SQLITE_FULL"):
            raise blamed(c.ERROR_DISK_FULL, "the disk is full", file) from None
        if name.startswith("SQLITE_READONLY_ROLLBACK"):
            what = "a change was interrupted, and the next call of an administrator completes it"
            raise blamed(c.ERROR_LOCK_VIOLATION, what, file) from None
        try:
            os.close(os.open(file, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as why:
            raise _unusable(why, file) from None
        raise blamed(c.ERROR_ACCESS_DENIED, str(e), file) from None
    except sqlite3.DatabaseError as e:
        raise blamed(c.ERROR_FILE_CORRUPT, f"damaged, or no store of port reservations ({e})", file) from None


def _open(file: str, mode: str) -> Connection:
    """A connection to a store that is ours."""
    import sqlite3
    from urllib.parse import quote

    try:
        if stat.S_ISREG(os.stat(file).st_mode) and not os.path.getsize(file):
            raise blamed(c.ERROR_FILE_CORRUPT, "damaged: it is empty", file)
    except OSError as e:
        raise _unusable(e, file) from None
    place = f"file:{quote(os.path.abspath(file))}?mode={mode}"
    db = sqlite3.connect(place, uri=True, isolation_level=None, timeout=PATIENCE)
    try:
        db.execute("PRAGMA synchronous = FULL")
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION:
            raise blamed(c.ERROR_FILE_CORRUPT, "damaged, or no store of port reservations", file)
        if version != FORMAT:
            raise blamed(c.ERROR_FILE_CORRUPT, f"written by another version of winsock (format {version})", file)
    except BaseException:
        db.close()
        raise
    return db


def _rows(db: Connection) -> list[Row]:
    found = db.execute("SELECT identity FROM store").fetchone()
    if found is None or not isinstance(found[0], bytes):
        raise blamed(c.ERROR_FILE_CORRUPT, "damaged: it has no identity", path())
    identity, result = found[0], []
    for number, protocol, start, count in db.execute(
        "SELECT id, protocol, start, count FROM reservations ORDER BY protocol, start"
    ):
        result.append(Row(protocol, start, count, _token(identity, number, protocol, start, count)))
    return result


def _token(identity: bytes, number: int, protocol: str, start: int, count: int) -> int:
    from hashlib import blake2b

    text = f"{_boot()}/{number}/{protocol}/{start}/{count}".encode()
    digest = blake2b(text, digest_size=8, key=identity[:64]).digest()
    return int.from_bytes(digest, "little") | PERSISTENT_TOKEN


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""


def _network() -> str:
    """The network namespace, by a number that no other gets in this boot."""
    try:
        with linux.socket(linux.AF_INET, linux.SOCK_DGRAM) as s:
            return s.getsockopt(linux.SOL_SOCKET, SO_NETNS_COOKIE, 8).hex()
    except OSError:
        try:
            return str(os.stat("/proc/self/ns/net").st_ino)
        except OSError:
            return ""


# -- changing


def create(protocol: str, start: int, count: int) -> int:
    """Add a block: its token."""
    _check(protocol, start, count)
    if start + count - 1 > LAST_PORT:
        raise Refused(c.ERROR_INVALID_PARAMETER, f"{count} ports from {start} on go past the last port")
    with _changing() as db:
        for row in _rows(db):
            if row.protocol == protocol and row.start < start + count and start < row.start + row.count:
                text = f"{protocol} {_named(row.range)}: reserved persistently already"
                raise Refused(c.ERROR_SHARING_VIOLATION, text)
        with _placeholder.HOLDING, _held(protocol, start, count):
            _agree(db, "INSERT INTO reservations (protocol, start, count) VALUES (?, ?, ?)", protocol, start, count)
        return next(row.token for row in _rows(db) if (row.protocol, row.start) == (protocol, start))


def delete(protocol: str, start: int, count: int) -> None:
    """Remove exactly this block."""
    _check(protocol, start, count)
    if not os.path.exists(path()):
        _administrators_only()
        raise _absent(protocol, start, count)
    with _changing() as db:
        found = _rows(db)
        if not any(row.block == (protocol, start, count) for row in found):
            raise _absent(protocol, start, count, found)
        _agree(db, "DELETE FROM reservations WHERE protocol = ? AND start = ? AND count = ?", protocol, start, count)


def lookup(protocol: str, start: int, count: int) -> int:
    """The token of exactly this block."""
    _check(protocol, start, count)
    found = rows()
    for row in found:
        if row.block == (protocol, start, count):
            refresh(found)
            return row.token
    raise _absent(protocol, start, count, found)


def by_token(token: int) -> Row | None:
    """The block of a persistent token."""
    found = rows() if token & PERSISTENT_TOKEN else []
    return next((row for row in found if row.token == token), None)


def apply() -> bool:
    """Bring the kernel's list into agreement; whether it is."""
    if not os.path.exists(path()):
        _administrators_only()
        return True
    with _changing() as db:
        return _agree(db)


def refresh(found: Iterable[Row]) -> None:
    """After a restart: the first administrator who asks for a block sees to the kernel's list."""
    kernels = _kernel_list.path()
    if kernels is None or not administrator(directory()) or not os.access(kernels, os.W_OK, effective_ids=True):
        return
    try:
        if without((row.range for row in found), _kernel_list.read()):
            apply()
    except (Refused, OSError, ValueError) as e:
        _log.warning("the kernel's list of reserved ports could not be completed: %s", e)


def _check(protocol: str, start: int, count: int) -> None:
    if protocol not in KINDS:
        raise ValueError(f"protocol must be 'tcp' or 'udp', not {protocol!r}")
    if not 1 <= start <= LAST_PORT or not 1 <= count <= LAST_PORT:
        raise Refused(c.ERROR_INVALID_PARAMETER, f"no block of {count} ports starts at {start}")


def _named(block: Range) -> str:
    first, last = block
    return f"port {first}" if first == last else f"ports {first}-{last}"


def _absent(protocol: str, start: int, count: int, there: Iterable[Row] = ()) -> Refused:
    text = f"there is no persistent {protocol} reservation of exactly {_named((start, start + count - 1))}"
    near = [
        row.range for row in there if row.protocol == protocol and common([row.range], [(start, start + count - 1)])
    ]
    if near:
        text += f"; there is one of {' and of '.join(map(_named, near[:3]))}"
    return Refused(c.ERROR_NOT_FOUND, text)


def _administrators_only() -> None:
    if not administrator(directory()):
        text = f"persistent reservations are for administrators: root, CAP_NET_ADMIN, or who may write {directory()}"
        raise Refused(c.ERROR_ACCESS_DENIED, text)


@contextmanager
def _changing() -> Iterator[Connection]:
    """The store, made if there is none, while nobody else changes it."""
    _administrators_only()
    file = path()
    with _locked():
        if not os.path.lexists(file):
            _make(file)
        with _faults(file), closing(_open(file, "rw")) as db:
            (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise blamed(c.ERROR_FILE_CORRUPT, f"damaged ({sound})", file)
            yield db


@contextmanager
def _locked() -> Iterator[None]:
    name = os.path.join(directory(), f"{NAME}.lock")
    try:
        os.makedirs(directory(), 0o755, exist_ok=True)
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as e:
        raise _unusable(e, e.filename or name) from None
    try:
        if os.fstat(fd).st_uid == os.geteuid():
            os.fchmod(fd, 0o600 | _group_mode())  # who may not write may not lock either
        deadline, pause = time.monotonic() + PATIENCE, 0.0005
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as e:
                if e.errno not in (errno.EWOULDBLOCK, errno.EINTR) or time.monotonic() > deadline:
                    raise blamed(c.ERROR_LOCK_VIOLATION, "locked by another program", name) from None
                time.sleep(pause)
                pause = min(pause * 2, 0.02)
        yield
    finally:
        os.close(fd)


def _group_mode() -> int:
    """Where a group may write the directory, it may write the files."""
    return 0o060 if os.stat(directory()).st_mode & stat.S_IWGRP else 0


def _make(file: str) -> None:
    """A new store, whole or not at all."""
    import sqlite3

    new = f"{file}.new"
    try:
        for left in new, f"{new}-journal":  # of one who was killed
            if os.path.lexists(left):
                os.unlink(left)
        with _faults(new), closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.executescript(_SCHEMA)
            db.execute("INSERT INTO store VALUES (?)", (os.urandom(32),))
        os.chmod(new, 0o644 | _group_mode())
        os.replace(new, file)
        fd = os.open(directory(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except BaseException as e:
        with suppress(OSError):
            os.unlink(new)
        if isinstance(e, OSError):
            raise _unusable(e, file) from None
        raise


@contextmanager
def _transaction(db: Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # on a full disk SQLite has ended it by itself
            db.execute("ROLLBACK")
        raise


@contextmanager
def _held(protocol: str, start: int, count: int) -> Iterator[None]:
    """Hold every port of a block, or refuse it because one is in use."""
    from winsock.ports import _diag

    kind = KINDS[protocol]
    ended = _diag.only_time_wait if kind == STREAM else None
    try:
        try:
            held = _placeholder.hold_run(kind, start, count, ended)
        except Busy as e:
            if e.number not in (errno.EMFILE, errno.ENFILE):
                raise
            for first in range(start, start + count, PIECE):
                _placeholder.let_go(_placeholder.hold_run(kind, first, min(PIECE, start + count - first), ended))
            held = _placeholder.hold_run(kind, start, 0)
    except Busy as e:
        if e.number == errno.EADDRINUSE:
            raise Refused(c.ERROR_SHARING_VIOLATION, f"port {e.port} ({protocol}) is in use") from None
        code = c.ERROR_ACCESS_DENIED if e.number in (errno.EACCES, errno.EPERM) else c.ERROR_TOO_MANY_OPEN_FILES
        raise Refused(code, f"port {e.port} ({protocol}): {os.strerror(e.number)}") from None
    try:
        yield
    finally:
        _placeholder.let_go(held)


# -- the kernel's list


def _agree(db: Connection, statement: str = "", *values: object) -> bool:
    """Change the store, and bring the kernel's list into agreement with it; False where we may not write that.

    Ports that others put there stay, and are not taken for ours; so do they when ours go.
    """
    here = _boot(), _network()
    missing: list[Range] = []
    with _transaction(db):
        if statement:
            db.execute(statement, values)
        wanted = merged(row.range for row in _rows(db))
        ours = merged(db.execute("SELECT first, last FROM applied WHERE boot = ? AND network = ?", here).fetchall())
        if _kernel_list.path() is None:
            return not wanted
        try:
            there = _kernel_list.read()
        except (OSError, ValueError) as e:
            _log.warning("%s cannot be read: %s", _kernel_list.path(), e)
            return not wanted
        missing = without(wanted, there)
        gone = common(without(ours, wanted), there)
        db.execute("DELETE FROM applied WHERE boot <> ?", here[:1])
        db.executemany("INSERT INTO applied VALUES (?, ?, ?, ?)", [(*here, a, b) for a, b in missing])
    kept = common([*ours, *missing], wanted)
    if missing and not _written(_kernel_list.add, missing):
        kept = common(ours, wanted)
    if gone and not _written(lambda: _kernel_list.replace(without(_kernel_list.read(), gone))):
        kept = [*kept, *gone]
    kept = merged(kept)
    if kept != merged([*ours, *missing]):
        with _transaction(db):
            db.execute("DELETE FROM applied WHERE network = ?", here[1:])
            db.executemany("INSERT INTO applied VALUES (?, ?, ?, ?)", [(*here, a, b) for a, b in kept])
    return not without(wanted, _kernel_list.ranges())


def _written(write: Callable[..., None], *arguments: object) -> bool:
    """Change the kernel's list, if that is allowed."""
    try:
        write(*arguments)
    except (OSError, ValueError) as e:
        _log.warning("%s cannot be written: %s", _kernel_list.path(), e)
        return False
    return True


def associated(token: int, kind: int) -> Row:
    """The block that a socket may associate itself with.

    WSAEINVAL for an unknown token, WSAEOPNOTSUPP for one of another protocol, WSAEACCES for who is no administrator.
    """
    row = by_token(token)
    if row is None:
        raise Refused(WSA.WSAEINVAL, "no reservation has this token")
    if KINDS[row.protocol] != kind:
        raise Refused(WSA.WSAEOPNOTSUPP, f"the reservation is one of {row.protocol} ports")
    if not administrator(directory()):
        raise Refused(WSA.WSAEACCES, "persistent reservations are for administrators")
    refresh([row])
    return row
